/*
 * Frames of the bridge protocol: a big-endian 32-bit length, then one CBOR item (RFC 8949), always an array.
 *
 * Only the definite-length items that docs/cmpi.md lists are taken; all others, and lengths that reach beyond the
 * frame, make a frame corrupt.  Nothing is allocated for what a header merely claims.
 */
#ifndef VIRTCIM_WIRE_H
#define VIRTCIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_NAME "virtcim-cmpi"

enum {
    PROTOCOL_VERSION = 2,
    FRAME_HEADER = 4,
    /* The largest object a hypervisor host has is a guest definition of some 100 KiB; the daemon batches at 64 KiB. */
    FRAME_LIMIT = 4 * 1024 * 1024
};

/* Requests. */
enum operation {
    OP_ENUMERATE_NAMES = 1,
    OP_ENUMERATE = 2,
    OP_GET = 3,
    OP_CREATE = 4,
    OP_MODIFY = 5,
    OP_DELETE = 6,
    OP_QUERY = 7,
    OP_ASSOCIATORS = 8,
    OP_ASSOCIATOR_NAMES = 9,
    OP_REFERENCES = 10,
    OP_REFERENCE_NAMES = 11,
    OP_INVOKE = 12,
    OP_AUTHORIZE = 13,
    OP_LISTEN = 14,
    OP_TAKEN = 15 /* on the connection of LISTEN, after each indication */
};

/* Answers. */
enum answer {
    ANSWER_DONE = 0,       /* [0] */
    ANSWER_ERROR = 1,      /* [1, CIM status, text] */
    ANSWER_SHAPE = 2,      /* [2, number, namespace, class, superclass, [[name, type, flags], ...]] */
    ANSWER_OBJECTS = 3,    /* [3, shape number, is instance, [[value, ...], ...]] */
    ANSWER_VALUE = 4,      /* [4, type, value]: what a method returns */
    ANSWER_OUT = 5,        /* [5, name, type, value]: an output parameter */
    ANSWER_INDICATION = 6  /* [6, provider, namespace, class, [[name, type, value], ...]] */
};

/* Flags of a property in a shape. */
enum { SHAPE_KEY = 1, SHAPE_HAS_DEFAULT = 2 };

/* A frame under construction; memory that runs out or a frame too large sets `failed`. */
struct writer {
    unsigned char *data;
    size_t used;
    size_t size;
    bool failed;
};

void writer_begin(struct writer *writer);
/* Fill in the length; false when the frame failed. */
bool writer_finish(struct writer *writer);
void writer_free(struct writer *writer);
void put_uint(struct writer *writer, uint64_t number);
void put_int(struct writer *writer, int64_t number);
void put_real(struct writer *writer, double number);
void put_bool(struct writer *writer, bool value);
void put_null(struct writer *writer);
void put_array(struct writer *writer, size_t count);
/* NULL is written as null. */
void put_text(struct writer *writer, const char *text);

enum item_kind { ITEM_NONE, ITEM_UINT, ITEM_NEGINT, ITEM_TEXT, ITEM_ARRAY, ITEM_BOOL, ITEM_NULL, ITEM_REAL };

struct item {
    enum item_kind kind;
    uint64_t number;  /* the number, a bool, -1 - the negative number, or the count of an array or of bytes */
    double real;
    char *text;       /* ends with NUL, and lives as long as the frame */
};

/* A frame being read.  `data` is written to: texts are moved by a byte to make room for their NUL. */
struct reader {
    unsigned char *data;
    size_t used;
    size_t size;
};

/* All return false when the next item is not what was asked for, or there is none. */
/* Pass over a null, if the next item is one. */
bool take_null(struct reader *reader);

bool take_item(struct reader *reader, struct item *item);
bool take_array(struct reader *reader, size_t *count);
bool take_uint(struct reader *reader, uint64_t maximum, uint64_t *number);
bool take_bool(struct reader *reader, bool *value);
bool take_text(struct reader *reader, char **text);
/* As take_text; null gives NULL. */
bool take_text_or_null(struct reader *reader, char **text);
bool at_end(const struct reader *reader);

#endif
