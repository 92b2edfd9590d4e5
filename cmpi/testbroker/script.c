#define _GNU_SOURCE
#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "broker.h"

static struct node parse(char **at)
{
    while (**at == ' ')
        ++*at;
    struct node node = {0};
    if (**at == '(') {
        node.is_list = true;
        ++*at;
        for (;;) {
            while (**at == ' ')
                ++*at;
            if (**at == ')')
                break;
            struct node item = parse(at);
            node.items = realloc(node.items, (node.count + 1) * sizeof *node.items);
            if (!node.items)
                complain("out of memory");
            node.items[node.count++] = item;
        }
        ++*at;
    } else if (**at == '"') {
        char *to = ++*at;
        char *begin = to;
        for (; **at != '"'; ++*at) {
            if (!**at)
                complain("a string without its end");
            if (**at == '\\' && *++*at == 'n')
                **at = '\n';
            *to++ = **at;
        }
        ++*at;
        *to = '\0';
        node.text = strdup(begin);
    } else {
        size_t length = strcspn(*at, " ()");
        if (!length)
            complain("a word is missing at '%s'", *at);
        if (length != 4 || memcmp(*at, "null", 4) != 0)
            node.text = strndup(*at, length);
        *at += length;
    }
    return node;
}

struct node script_parse(char *line)
{
    struct node node = parse(&line);
    if (!node.is_list || !node.count || !node.items[0].text)
        complain("a line is not (operation ...)");
    return node;
}

void script_free(struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        script_free(&node->items[i]);
    free(node->items);
    free(node->text);
}
