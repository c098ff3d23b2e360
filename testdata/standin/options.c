/* Parameters as cvmfs2 reads them with -o simple_options_parsing: no shell, every
 * value literal (CVMFS client, options.cc, SimpleOptionsParser). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

struct parameter {
  char *key, *value;
};

static struct parameter *parameters;
static size_t count;

static char *trim(char *s) {
  while (isspace((unsigned char)*s))
    s++;
  char *end = s + strlen(s);
  while (end > s && isspace((unsigned char)end[-1]))
    *--end = '\0';
  return s;
}

/* Replaces @fqrn@ and @org@; other templates stay. */
static char *substitute(const char *value, const char *fqrn) {
  char *out = strdup("");
  while (*value) {
    char *next;
    if (strncmp(value, "@fqrn@", 6) == 0) {
      next = format("%s%s", out, fqrn);
      value += 6;
    } else if (strncmp(value, "@org@", 5) == 0) {
      next = format("%s%.*s", out, (int)strcspn(fqrn, "."), fqrn);
      value += 5;
    } else {
      next = format("%s%c", out, *value++);
    }
    free(out);
    out = next;
  }
  return out;
}

static void set(const char *key, char *value) {
  setenv(key, value, 1);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(parameters[i].key, key) == 0) {
      free(parameters[i].value);
      parameters[i].value = value;
      return;
    }
  }
  parameters = realloc(parameters, (count + 1) * sizeof *parameters);
  parameters[count++] = (struct parameter){strdup(key), value};
}

static void parse_line(char *line, const char *fqrn) {
  line[strcspn(line, "#")] = '\0';
  line = trim(line);
  char *equals = strchr(line, '=');
  if (equals == NULL)
    return;
  *equals = '\0';
  char *key = trim(line), *value = trim(equals + 1);
  static const char *const prefixes[] = {"readonly ", "export ", "eval "};
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0) {
      key = trim(key + strlen(prefixes[i]));
      break;
    }
  }
  if (*key == '\0' || strchr(key, ' ') != NULL)
    return;
  size_t n = strlen(value);
  if (n > 2 && value[0] == value[n - 1] && (value[0] == '"' || value[0] == '\'')) {
    value[n - 1] = '\0';
    value++;
  }
  set(key, substitute(value, fqrn));
}

void options_parse(const char *files, const char *fqrn) {
  char *list = strdup(files), *rest = list, *file;
  while ((file = strsep(&rest, ":")) != NULL) {
    FILE *f = fopen(file, "re");
    if (f == NULL)
      continue;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, f) >= 0)
      parse_line(line, fqrn);
    free(line);
    fclose(f);
  }
  free(list);
}

const char *option(const char *key) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(parameters[i].key, key) == 0)
      return parameters[i].value;
  }
  return NULL;
}

bool option_on(const char *key, bool otherwise) {
  const char *value = option(key);
  if (value == NULL)
    return otherwise;
  static const char *const on[] = {"YES", "ON", "1", "TRUE"};
  for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
    if (strcasecmp(value, on[i]) == 0)
      return true;
  }
  return false;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const struct parameter *)a)->key, ((const struct parameter *)b)->key);
}

char *options_dump(void) {
  qsort(parameters, count, sizeof *parameters, by_key);
  char *out = strdup("");
  for (size_t i = 0; i < count; i++) {
    char *next = format("%s%s=%s\n", out, parameters[i].key, parameters[i].value);
    free(out);
    out = next;
  }
  return out;
}
