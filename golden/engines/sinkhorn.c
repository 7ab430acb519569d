// An engine in C that knows one operation, sinkhorn, and speaks the engine protocol (docs/engine-protocol.md) with nothing
// but libhdf5 and the C library. What it computes is in golden/FORMAT.md: row softmax + epsilon, columns, and then
// (iterations - 1) times rows and columns, with epsilon in every denominator; all in float32.
//
//   cc -O2 -o sinkhorn golden/engines/sinkhorn.c $(pkg-config --cflags --libs hdf5) -lm      (or: h5cc -o sinkhorn ... -lm)
//   v4-oracle conform --engine ./sinkhorn
#include <ctype.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- JSON: members of an object on one line whose values are strings; every other value is skipped ----

// The end of the string that begins at the quote p, one past its closing quote.
static const char *string_end(const char *p) {
  for (p++; *p && *p != '"'; p++)
    if (*p == '\\' && p[1]) p++;
  return *p ? p + 1 : p;
}

// The end of the value that begins at p.
static const char *value_end(const char *p) {
  int depth = 0;
  for (; *p; p++) {
    if (*p == '"') {
      p = string_end(p) - 1;
    } else if (*p == '{' || *p == '[') {
      depth++;
    } else if (*p == '}' || *p == ']' || *p == ',') {
      if (depth == 0) return p;
      if (*p != ',') depth--;
    }
  }
  return p;
}

// The string of a member, as it is written, without quotes; NULL if there is none. To be freed.
static char *member(const char *line, const char *name) {
  const char *p = strchr(line, '{');
  while (p && (p = strchr(p + 1, '"'))) {
    const char *key = p + 1, *end = string_end(p);
    int found = (size_t)(end - key - 1) == strlen(name) && !strncmp(key, name, strlen(name));
    for (p = end; isspace((unsigned char)*p) || *p == ':'; p++) {}
    if (found) return *p == '"' ? strndup(p + 1, (size_t)(string_end(p) - p - 2)) : NULL;
    p = value_end(p);
  }
  return NULL;
}

// Paths: the oracle's have no escapes but \" and \\, which are undone here. Ids are echoed as they are written.
static char *unescaped(char *text) {
  char *to = text;
  for (char *from = text; from && *from; from++) *to++ = *from == '\\' && from[1] ? *++from : *from;
  if (to) *to = 0;
  return text;
}

// ---- the operation ----

static void normalize(float *matrix, int n, int step, int stride, float epsilon) {
  for (int line = 0; line < n; line++) {
    float sum = epsilon, *first = matrix + line * step;
    for (int i = 0; i < n; i++) sum += first[i * stride];
    for (int i = 0; i < n; i++) first[i * stride] /= sum;
  }
}

static void sinkhorn(float *matrix, int n, long iterations, float epsilon) {
  for (int row = 0; row < n; row++) {
    float *x = matrix + row * n, largest = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) largest = fmaxf(largest, x[i]);
    for (int i = 0; i < n; i++) sum += x[i] = expf(x[i] - largest);
    for (int i = 0; i < n; i++) x[i] = x[i] / sum + epsilon;
  }
  normalize(matrix, n, 1, n, epsilon);
  for (long iteration = 1; iteration < iterations; iteration++) {
    normalize(matrix, n, n, 1, epsilon);
    normalize(matrix, n, 1, n, epsilon);
  }
}

// ---- files ----

static int attribute(hid_t file, const char *name, hid_t type, void *value) {
  hid_t id = H5Aopen_by_name(file, "parameters", name, H5P_DEFAULT, H5P_DEFAULT);
  int failed = id < 0 || H5Aread(id, type, value) < 0;
  if (id >= 0) H5Aclose(id);
  return failed;
}

// Computes a case. Returns NULL, or what is wrong with it.
static const char *run(const char *path, const char *result) {
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) return "the case cannot be opened";
  const char *problem = NULL;
  float *x = NULL;
  long long iterations = 0;
  double epsilon = 0;
  hsize_t shape[3] = {0, 0, 0};
  hid_t input = H5Dopen2(file, "inputs/combination_logits", H5P_DEFAULT), space = input < 0 ? -1 : H5Dget_space(input);
  if (space < 0 || attribute(file, "iterations", H5T_NATIVE_LLONG, &iterations) ||
      attribute(file, "epsilon", H5T_NATIVE_DOUBLE, &epsilon))
    problem = "the case lacks combination_logits, iterations or epsilon";
  else if (H5Sget_simple_extent_ndims(space) != 3 || H5Sget_simple_extent_dims(space, shape, NULL) < 0 ||
           shape[1] != shape[2] || shape[1] == 0 || shape[1] > 4096)
    problem = "combination_logits has to be [T, n, n]";
  else if (iterations < 1 || !(epsilon >= 0 && isfinite(epsilon)))
    problem = "iterations has to be positive, epsilon finite and not negative";
  else if (!(x = malloc(sizeof *x * (shape[0] * shape[1] * shape[2] + 1))) ||
           (shape[0] && H5Dread(input, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0))
    problem = "combination_logits cannot be read";
  if (!problem) {
    for (hsize_t t = 0; t < shape[0]; t++)
      sinkhorn(x + t * shape[1] * shape[1], (int)shape[1], (long)iterations, (float)epsilon);
    hid_t out = H5Fcreate(result, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t to = H5Dcreate2(out, "combination", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (to < 0 || H5Dwrite(to, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0)
      problem = "the result cannot be written";
    if (to >= 0) H5Dclose(to);
    if (out >= 0 && H5Fclose(out) < 0) problem = "the result cannot be written";
  }
  if (space >= 0) H5Sclose(space);
  if (input >= 0) H5Dclose(input);
  H5Fclose(file);
  free(x);
  return problem;
}

// ---- messages ----

static void answer_run(const char *line, const char *id) {
  char *operation = member(line, "operation"), *file = member(line, "file"), *result = member(line, "result");
  char *echoed = result ? strdup(result) : NULL;
  const char *problem = NULL;
  if (!operation || strcmp(operation, "sinkhorn")) {
    printf("{\"type\": \"unsupported\", \"id\": \"%s\", \"reason\": \"only sinkhorn\"}\n", id);
  } else if (!file || !result || (problem = run(unescaped(file), unescaped(result)))) {
    printf("{\"type\": \"error\", \"id\": \"%s\", \"error\": \"%s\"}\n", id, problem ? problem : "no file or no result");
  } else {
    printf("{\"type\": \"result\", \"id\": \"%s\", \"file\": \"%s\"}\n", id, echoed);
  }
  free(operation), free(file), free(result), free(echoed);
}

int main(void) {
  char *line = NULL;
  size_t capacity = 0;
  int stopped = 0;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);  // an answer has to leave at once
  while (!stopped && getline(&line, &capacity, stdin) > 0) {
    char *type = member(line, "type"), *id = member(line, "id");
    if (type && !strcmp(type, "start"))
      puts("{\"type\": \"started\", \"protocol\": 1, \"engine\": {\"name\": \"sinkhorn.c\", \"version\": \"1\"}, "
           "\"precision\": \"fp32\", \"operations\": [\"sinkhorn\"]}");
    else if (type && !strcmp(type, "run"))
      answer_run(line, id ? id : "");
    else if ((stopped = type && !strcmp(type, "stop")))
      puts("{\"type\": \"stopped\"}");
    else
      printf("{\"type\": \"error\", \"id\": \"%s\", \"error\": \"unknown type of message\"}\n", id ? id : "");
    free(type), free(id);
  }
  free(line);
  return !stopped;
}
