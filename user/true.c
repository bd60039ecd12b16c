// true: ends with status 0. bench runs it to learn what a fork and an exec cost.

int main(void)
{
    return 0;
}
