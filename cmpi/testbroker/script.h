/*
 * The operations of a script: one list in round brackets per line, of words, "strings" (with \", \\ and \n) and lists.
 */
#ifndef TESTBROKER_SCRIPT_H
#define TESTBROKER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct node {
    char *text;         /* NULL for a list and for the word null */
    bool is_list;
    struct node *items; /* of a list */
    size_t count;
};

/* The list at the beginning of `line`, which is changed; complains when there is none. */
struct node script_parse(char *line);
void script_free(struct node *node);

#endif
