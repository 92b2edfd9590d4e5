#include "wire.h"

#include <cbor/callbacks.h>
#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 512, HEADER_MAX = 9 };

enum { MAJOR_UINT = 0, MAJOR_TEXT = 3, MAJOR_ARRAY = 4, FALSE_BYTE = 0xF4, TRUE_BYTE = 0xF5, NULL_BYTE = 0xF6 };

/* Room for `more` bytes behind what is written, or NULL. */
static unsigned char *room(struct writer *writer, size_t more)
{
    if (writer->failed || more > FRAME_LIMIT + FRAME_HEADER - writer->used) {
        writer->failed = true;
        return NULL;
    }
    if (writer->used + more > writer->size) {
        size_t size = writer->size ? writer->size : FIRST_SIZE;
        while (size < writer->used + more)
            size *= 2;
        unsigned char *data = realloc(writer->data, size);
        if (!data) {
            writer->failed = true;
            return NULL;
        }
        writer->data = data;
        writer->size = size;
    }
    return writer->data + writer->used;
}

void writer_begin(struct writer *writer)
{
    *writer = (struct writer){0};
    if (room(writer, FRAME_HEADER))
        writer->used = FRAME_HEADER;
}

bool writer_finish(struct writer *writer)
{
    if (writer->failed)
        return false;
    size_t length = writer->used - FRAME_HEADER;
    for (int i = 0; i < FRAME_HEADER; i++)
        writer->data[i] = (unsigned char)(length >> (8 * (FRAME_HEADER - 1 - i)));
    return true;
}

void writer_free(struct writer *writer)
{
    free(writer->data);
    *writer = (struct writer){0};
}

void put_uint(struct writer *writer, uint64_t number)
{
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_uint(number, at, HEADER_MAX);
}

void put_int(struct writer *writer, int64_t number)
{
    if (number >= 0) {
        put_uint(writer, (uint64_t)number);
        return;
    }
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_negint((uint64_t)(-1 - number), at, HEADER_MAX);
}

void put_real(struct writer *writer, double number)
{
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_double(number, at, HEADER_MAX);
}

void put_bool(struct writer *writer, bool value)
{
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_bool(value, at, HEADER_MAX);
}

void put_null(struct writer *writer)
{
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_null(at, HEADER_MAX);
}

void put_array(struct writer *writer, size_t count)
{
    unsigned char *at = room(writer, HEADER_MAX);
    if (at)
        writer->used += cbor_encode_array_start(count, at, HEADER_MAX);
}

void put_text(struct writer *writer, const char *text)
{
    if (!text) {
        put_null(writer);
        return;
    }
    size_t length = strlen(text);
    if (length > FRAME_LIMIT) {
        writer->failed = true;
        return;
    }
    unsigned char *at = room(writer, HEADER_MAX + length);
    if (!at)
        return;
    size_t header = cbor_encode_string_start(length, at, HEADER_MAX);
    memcpy(at + header, text, length);
    writer->used += header + length;
}

static void on_number(void *context, uint64_t number)
{
    *(struct item *)context = (struct item){.kind = ITEM_UINT, .number = number};
}

static void on_number8(void *context, uint8_t number)
{
    on_number(context, number);
}

static void on_number16(void *context, uint16_t number)
{
    on_number(context, number);
}

static void on_number32(void *context, uint32_t number)
{
    on_number(context, number);
}

static void on_negative(void *context, uint64_t number)
{
    *(struct item *)context = (struct item){.kind = ITEM_NEGINT, .number = number};
}

static void on_negative8(void *context, uint8_t number)
{
    on_negative(context, number);
}

static void on_negative16(void *context, uint16_t number)
{
    on_negative(context, number);
}

static void on_negative32(void *context, uint32_t number)
{
    on_negative(context, number);
}

/* size_t in libcbor before 0.10 and uint64_t since; the same type where both have 64 bits. */
static void on_text(void *context, cbor_data data, size_t length)
{
    *(struct item *)context = (struct item){.kind = ITEM_TEXT, .number = length, .text = (char *)(uintptr_t)data};
}

static void on_array(void *context, size_t count)
{
    *(struct item *)context = (struct item){.kind = ITEM_ARRAY, .number = count};
}

static void on_real(void *context, double number)
{
    *(struct item *)context = (struct item){.kind = ITEM_REAL, .real = number};
}

static void on_real32(void *context, float number)
{
    on_real(context, (double)number);
}

static void on_bool(void *context, bool value)
{
    *(struct item *)context = (struct item){.kind = ITEM_BOOL, .number = value};
}

static void on_null(void *context)
{
    *(struct item *)context = (struct item){.kind = ITEM_NULL};
}

/* What the protocol has no use for leaves the item as ITEM_NONE. */
static void ignore(void *context)
{
    (void)context;
}

static void ignore_bytes(void *context, cbor_data data, size_t length)
{
    (void)context, (void)data, (void)length;
}

static void ignore_count(void *context, size_t count)
{
    (void)context, (void)count;
}

static void ignore_tag(void *context, uint64_t tag)
{
    (void)context, (void)tag;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_number8,
    .uint16 = on_number16,
    .uint32 = on_number32,
    .uint64 = on_number,
    .negint8 = on_negative8,
    .negint16 = on_negative16,
    .negint32 = on_negative32,
    .negint64 = on_negative,
    .byte_string_start = ignore,
    .byte_string = ignore_bytes,
    .string_start = ignore,
    .string = on_text,
    .indef_array_start = ignore,
    .array_start = on_array,
    .indef_map_start = ignore,
    .map_start = ignore_count,
    .tag = ignore_tag,
    .float2 = on_real32,
    .float4 = on_real32,
    .float8 = on_real,
    .undefined = ignore,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = ignore,
};

/* Whether `text` is UTF-8 (RFC 3629): no overlong forms, surrogates or NUL. */
static bool is_utf8(const unsigned char *text, size_t length)
{
    size_t i = 0;
    while (i < length) {
        uint64_t eight;
        if (length - i >= sizeof eight) {
            memcpy(&eight, text + i, sizeof eight);
            /* Eight bytes of ASCII, none of them NUL: a borrow reaches the top bit of a byte only from 0 or 0x80. */
            if (!((eight | (eight - 0x0101010101010101)) & 0x8080808080808080)) {
                i += sizeof eight;
                continue;
            }
        }
        unsigned char first = text[i++];
        if (first < 0x80) {
            if (first == 0)
                return false;
            continue;
        }
        int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || length - i < (size_t)more)
            return false;
        unsigned char second = text[i];
        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
            (first == 0xF4 && second > 0x8F))
            return false;
        for (; more; more--, i++)
            if ((text[i] & 0xC0) != 0x80)
                return false;
    }
    return true;
}

bool take_null(struct reader *reader)
{
    bool is_null = reader->used < reader->size && reader->data[reader->used] == NULL_BYTE;
    reader->used += is_null;
    return is_null;
}

/* The header of an item that the protocol's frames are full of: null, false, true, and numbers and lengths below 24,
   each one byte (RFC 8949, section 3).  libcbor reads all others. */
static bool take_short(const unsigned char *at, struct item *item)
{
    unsigned major = *at >> 5, low = *at & 0x1F;
    if (*at == NULL_BYTE)
        *item = (struct item){.kind = ITEM_NULL};
    else if (*at == FALSE_BYTE || *at == TRUE_BYTE)
        *item = (struct item){.kind = ITEM_BOOL, .number = *at == TRUE_BYTE};
    else if (low < 24 && (major == MAJOR_UINT || major == MAJOR_ARRAY))
        *item = (struct item){.kind = major == MAJOR_UINT ? ITEM_UINT : ITEM_ARRAY, .number = low};
    else if (low < 24 && major == MAJOR_TEXT)
        *item = (struct item){.kind = ITEM_TEXT, .number = low, .text = (char *)(uintptr_t)(at + 1)};
    else
        return false;
    return true;
}

bool take_item(struct reader *reader, struct item *item)
{
    size_t left = reader->size - reader->used;
    if (left && take_short(reader->data + reader->used, item)) {
        size_t length = item->kind == ITEM_TEXT ? (size_t)item->number : 0;
        if (length > left - 1)
            return false;
        reader->used += 1 + length;
    } else {
        *item = (struct item){.kind = ITEM_NONE};
        struct cbor_decoder_result result = cbor_stream_decode(reader->data + reader->used, left, &callbacks, item);
        if (result.status != CBOR_DECODER_FINISHED || result.read > left || item->kind == ITEM_NONE)
            return false;
        reader->used += result.read;
    }
    if (item->kind == ITEM_ARRAY)
        return item->number <= reader->size - reader->used;
    if (item->kind == ITEM_TEXT) {
        if (!is_utf8((unsigned char *)item->text, (size_t)item->number))
            return false;
        /* The header of the text is read and gone: its last byte is the room for the NUL. */
        memmove(item->text - 1, item->text, (size_t)item->number);
        item->text--;
        item->text[item->number] = '\0';
    }
    return true;
}

bool take_array(struct reader *reader, size_t *count)
{
    struct item item;
    if (!take_item(reader, &item) || item.kind != ITEM_ARRAY)
        return false;
    *count = (size_t)item.number;
    return true;
}

bool take_uint(struct reader *reader, uint64_t maximum, uint64_t *number)
{
    struct item item;
    if (!take_item(reader, &item) || item.kind != ITEM_UINT || item.number > maximum)
        return false;
    *number = item.number;
    return true;
}

bool take_bool(struct reader *reader, bool *value)
{
    struct item item;
    if (!take_item(reader, &item) || item.kind != ITEM_BOOL)
        return false;
    *value = item.number;
    return true;
}

bool take_text_or_null(struct reader *reader, char **text)
{
    struct item item;
    if (!take_item(reader, &item) || (item.kind != ITEM_TEXT && item.kind != ITEM_NULL))
        return false;
    *text = item.kind == ITEM_TEXT ? item.text : NULL;
    return true;
}

bool take_text(struct reader *reader, char **text)
{
    return take_text_or_null(reader, text) && *text;
}

bool at_end(const struct reader *reader)
{
    return reader->used == reader->size;
}
