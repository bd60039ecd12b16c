// Parses the options that options.h lists.

#include "grade/plugins/vqsan/options.h"

#include "grade/plugins/vqsan/inject.h"
#include "grade/plugins/vqsan/report.h"

#include <stdlib.h>
#include <string.h>

struct options options = {.seed = 1};

// Adds kinds like "rmb+mb" to the mask; false if a name is unknown.
static bool parse_kinds(const char *text)
{
    static const struct {
        const char *name;
        unsigned kind;
    } kinds[] = {{"rmb", INJECT_RMB},
                 {"wmb", INJECT_WMB},
                 {"mb", INJECT_MB},
                 {"iob", INJECT_IOB},
                 {"all", INJECT_RMB | INJECT_WMB | INJECT_MB | INJECT_IOB}};
    while (*text) {
        size_t length = strcspn(text, "+|"), i = 0;
        while (i < 5 && (strlen(kinds[i].name) != length || strncmp(kinds[i].name, text, length)))
            i++;
        if (i == 5)
            return false;
        options.kinds |= kinds[i].kind;
        text += length + (text[length] != '\0');
    }
    return true;
}

static bool parse_rules(const char *text)
{
    while (*text) {
        if (text[0] != 'R' || text[1] < '1' || text[1] >= '0' + RULE_COUNT)
            return false;
        options.hidden |= 1u << (text[1] - '0');
        text += 2;
        if (*text == '+' || *text == '|')
            text++;
        else if (*text)
            return false;
    }
    return true;
}

// QEMU splits options at commas: the second half of inject=rmb,mb arrives as an option "mb=on".
bool options_parse(char *option)
{
    char *value = strchr(option, '=');
    if (!value)
        return parse_kinds(option) || parse_rules(option);
    *value++ = '\0';
    if (strcmp(value, "on") == 0 && (parse_kinds(option) || parse_rules(option)))
        return true;
    if (strcmp(option, "elf") == 0)
        options.elf = value;
    else if (strcmp(option, "log") == 0)
        options.log = value;
    else if (strcmp(option, "json") == 0)
        options.json = value;
    else if (strcmp(option, "only") == 0)
        options.only = value;
    else if (strcmp(option, "every") == 0)
        options.every = strtoul(value, NULL, 10);
    else if (strcmp(option, "most") == 0)
        options.most = strtoul(value, NULL, 10);
    else if (strcmp(option, "seed") == 0)
        options.seed = strtoull(value, NULL, 10);
    else if (strcmp(option, "inject") == 0)
        return parse_kinds(value);
    else if (strcmp(option, "hide") == 0)
        return parse_rules(value);
    else if (strcmp(option, "device") == 0)
        return (options.hostile = hostile_named(value)) != HOSTILE_NONE;
    else
        return false;
    return true;
}
