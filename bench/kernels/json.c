// JSON: a text of some 25 KiB is parsed into a tree, members are looked up by their names,
// and the whole tree is walked. Branches on bytes, small allocations, recursion.
#include "arena.h"

enum { ROWS = 200, TEXT = 65536, MEMORY = 1 << 20 };
static char text[TEXT];
static uint8_t memory[MEMORY];

// The text.

static char *put(char *at, const char *from) {
  while (*from) *at++ = *from++;
  return at;
}

static char *putNumber(char *at, uint64_t value) {
  if (value >= 10) at = putNumber(at, value / 10);
  *at++ = (char)('0' + value % 10);
  return at;
}

static char *putName(char *at, uint64_t bits) {
  static const char *const parts[] = {"sail", "wind", "\\\"top\\\"", "mast", "\\u006beel", "b\\\\d", "rope", "deck"};
  for (uint64_t count = 1 + bits % 3; count > 0; count--) at = put(at, parts[(bits >>= 3) & 7]);
  return at;
}

static void prepare(void) {
  static const char *const states[] = {"true", "false", "null", "-1"};
  char *at = put(text, "{\"version\": 1,\n \"rows\": [");
  for (uint64_t row = 0; row < ROWS; row++) {
    const uint64_t bits = random64();
    at = put(at, row ? ",\n  {\"id\": " : "\n  {\"id\": ");
    at = putNumber(at, row);
    at = putName(put(at, ", \"name\": \""), bits);
    at = putNumber(put(at, "\", \"price\": "), bits >> 12 & 0x3fff);
    at = putNumber(put(at, "."), bits >> 26 & 0x3ff);
    at = put(put(at, bits & 1 << 11 ? "e2, \"state\": " : ", \"state\": "), states[bits >> 36 & 3]);
    at = put(at, ", \"tags\": [");
    for (uint64_t tags = bits >> 38 & 3; tags > 0; tags--) {
      at = put(putName(put(at, "\""), bits >> (40 + 4 * tags)), tags > 1 ? "\", " : "\"");
    }
    at = put(at, "], \"size\": {\"x\": ");
    at = put(putNumber(at, bits >> 48 & 0xff), ", \"y\": ");
    at = put(putNumber(at, bits >> 56), "}}");
  }
  put(at, "\n ]}\n");
}

// The tree.

enum Kind { NOTHING, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };

struct Value {
  enum Kind kind;
  /** Of a string in bytes. */
  uint32_t length;
  union {
    int truth;
    double number;
    const char *string;
    struct Value *first;
  } is;
  /** In an object. */
  const struct Value *name;
  struct Value *next;
};

struct Parser {
  const char *at;
  struct Arena arena;
};

static struct Value *parseValue(struct Parser *parser);

static void skipBlanks(struct Parser *parser) {
  while (*parser->at == ' ' || *parser->at == '\n') parser->at++;
}

/** Steps over `c` if that comes next. */
static int accept(struct Parser *parser, char c) {
  skipBlanks(parser);
  if (*parser->at != c) return 0;
  parser->at++;
  return 1;
}

static uint32_t parseHex(struct Parser *parser) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) {
    const char c = *parser->at++;
    value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

static void parseString(struct Parser *parser, struct Value *value) {
  // The string is at most as long as what stands for it.
  const char *end = parser->at;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  char *to = take(&parser->arena, (size_t)(end - parser->at));
  value->kind = STRING;
  value->is.string = to;
  while (parser->at < end) {
    char c = *parser->at++;
    if (c == '\\') {
      c = *parser->at++;
      if (c == 'u') c = (char)parseHex(parser);
    }
    *to++ = c;
  }
  value->length = (uint32_t)(to - value->is.string);
  parser->at++;
}

static uint64_t parseDigits(struct Parser *parser, uint64_t value) {
  while (*parser->at >= '0' && *parser->at <= '9') value = value * 10 + (uint64_t)(*parser->at++ - '0');
  return value;
}

static void parseNumber(struct Parser *parser, struct Value *value) {
  static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
  const int negative = accept(parser, '-');
  uint64_t digits = parseDigits(parser, 0);
  int64_t exponent = 0;
  if (accept(parser, '.')) {
    const char *start = parser->at;
    digits = parseDigits(parser, digits);
    exponent = start - parser->at;
  }
  if (accept(parser, 'e')) exponent += (int64_t)parseDigits(parser, 0);
  const double number = exponent < 0 ? (double)digits / powers[-exponent] : (double)digits * powers[exponent];
  value->kind = NUMBER;
  value->is.number = negative ? -number : number;
}

static void parseMembers(struct Parser *parser, struct Value *value, char close) {
  struct Value **end = &value->is.first;
  value->kind = close == '}' ? OBJECT : ARRAY;
  while (!accept(parser, close)) {
    const struct Value *name = NULL;
    if (close == '}') {
      name = parseValue(parser);
      accept(parser, ':');
    }
    *end = parseValue(parser);
    (*end)->name = name;
    end = &(*end)->next;
    accept(parser, ',');
  }
  *end = NULL;
}

static void parseWord(struct Parser *parser, struct Value *value) {
  value->kind = *parser->at == 'n' ? NOTHING : BOOLEAN;
  value->is.truth = *parser->at == 't';
  while (*parser->at >= 'a' && *parser->at <= 'z') parser->at++;
}

static struct Value *parseValue(struct Parser *parser) {
  struct Value *value = take(&parser->arena, sizeof *value);
  skipBlanks(parser);
  switch (*parser->at) {
    case '{': parser->at++, parseMembers(parser, value, '}'); break;
    case '[': parser->at++, parseMembers(parser, value, ']'); break;
    case '"': parser->at++, parseString(parser, value); break;
    case 't': case 'f': case 'n': parseWord(parser, value); break;
    default: parseNumber(parser, value);
  }
  return value;
}

// What is done with it.

static const struct Value *member(const struct Value *object, const char *name) {
  for (const struct Value *value = object->is.first; value; value = value->next) {
    uint32_t same = 0;
    while (same < value->name->length && value->name->is.string[same] == name[same]) same++;
    if (same == value->name->length && !name[same]) return value;
  }
  return NULL;
}

static uint64_t walk(const struct Value *value, uint64_t sum) {
  switch (value->kind) {
    case NOTHING: return sum + 1;
    case BOOLEAN: return sum * 3 + (uint64_t)value->is.truth;
    case NUMBER: return sum * 5 + bitsOf(value->is.number);
    case STRING:
      for (uint32_t i = 0; i < value->length; i++) sum = sum * 31 + (uint8_t)value->is.string[i];
      return sum;
    default:
      for (const struct Value *inner = value->is.first; inner; inner = inner->next) {
        if (inner->name) sum = walk(inner->name, sum);
        sum = walk(inner, sum);
      }
      return sum * 7;
  }
}

uint64_t kernel(void) {
  if (!text[0]) prepare();
  struct Parser parser = {text, {memory, memory + MEMORY}};
  const struct Value *document = parseValue(&parser);
  double area = 0;
  for (const struct Value *row = member(document, "rows")->is.first; row; row = row->next) {
    const struct Value *size = member(row, "size");
    area += member(size, "x")->is.number * member(size, "y")->is.number;
  }
  return walk(document, random64()) + bitsOf(area);
}
