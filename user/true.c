// true: exits with status 0. bench runs it to measure fork and exec.

int main(void)
{
    return 0;
}
