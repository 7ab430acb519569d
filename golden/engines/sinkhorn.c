// An engine in C that knows one operation, sinkhorn, and speaks docs/engine-protocol.md with libhdf5 alone. It computes
// in float32 what golden/FORMAT.md says: row softmax + epsilon, columns, then (iterations - 1) times rows and columns.
//   cc -O2 -o sinkhorn golden/engines/sinkhorn.c $(pkg-config --cflags --libs hdf5) -lm
//   v4-oracle conform --engine ./sinkhorn
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void normalize(float *matrix, int n, int step, int stride, float epsilon) {
  for (int line = 0; line < n; line++) {
    float sum = epsilon, *first = matrix + line * step;
    for (int i = 0; i < n; i++) sum += first[i * stride];
    for (int i = 0; i < n; i++) first[i * stride] /= sum;
  }
}

static void sinkhorn(float *matrix, int n, long long iterations, float epsilon) {
  for (int row = 0; row < n; row++) {
    float *x = matrix + row * n, largest = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) largest = fmaxf(largest, x[i]);
    for (int i = 0; i < n; i++) sum += x[i] = expf(x[i] - largest);
    for (int i = 0; i < n; i++) x[i] = x[i] / sum + epsilon;
  }
  normalize(matrix, n, 1, n, epsilon);
  for (long long iteration = 1; iteration < iterations; iteration++) {
    normalize(matrix, n, n, 1, epsilon);
    normalize(matrix, n, 1, n, epsilon);
  }
}

static int attribute(hid_t file, const char *name, hid_t type, void *value) {
  return H5Aread(H5Aopen_by_name(file, "parameters", name, H5P_DEFAULT, H5P_DEFAULT), type, value) >= 0;
}

// Computes a case. Returns NULL, or what is wrong with it; then the caller closes what is open.
static const char *compute(const char *path, const char *result) {
  long long iterations = 0;
  double epsilon = 0;
  hsize_t shape[3] = {0, 0, 0};
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t input = H5Dopen2(file, "inputs/combination_logits", H5P_DEFAULT), space = H5Dget_space(input);
  if (!attribute(file, "iterations", H5T_NATIVE_LLONG, &iterations) || iterations < 1 ||
      !attribute(file, "epsilon", H5T_NATIVE_DOUBLE, &epsilon) || !(epsilon >= 0 && isfinite(epsilon)) ||
      H5Sget_simple_extent_ndims(space) != 3 || H5Sget_simple_extent_dims(space, shape, NULL) < 0 ||
      shape[1] != shape[2] || shape[1] == 0 || shape[1] > 4096)
    return "a case needs iterations > 0, epsilon >= 0 and combination_logits [T, n, n]";
  size_t size = shape[1] * shape[2];
  float *x = calloc(shape[0] * size + 1, sizeof *x);
  if (!x || H5Dread(input, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0)
    return free(x), "combination_logits cannot be read";
  for (hsize_t t = 0; t < shape[0]; t++) sinkhorn(x + t * size, (int)shape[1], iterations, (float)epsilon);
  hid_t out = H5Fcreate(result, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t to = H5Dcreate2(out, "combination", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  int written = H5Dwrite(to, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0;
  free(x);
  return written && H5Fflush(out, H5F_SCOPE_LOCAL) >= 0 && H5close() >= 0 ? NULL : "the result cannot be written";
}

enum { TYPE, ID, OPERATION, CASE, RESULT, MEMBERS };
static const char *names[MEMBERS] = {"type", "id", "operation", "file", "result"};

// The end of the member or value that begins at p: the comma or bracket after it.
static char *value_end(char *p) {
  for (int depth = 0, quoted = 0; *p; p++) {
    if (quoted && *p == '\\' && p[1]) p++;
    else if (*p == '"') quoted = !quoted;
    else if (!quoted && strchr("{[", *p)) depth++;
    else if (!quoted && strchr("}],", *p) && (*p == ',' ? !depth : depth-- == 0)) break;
  }
  return p;
}

// Cuts the strings of a message out of its line, as they are written; one that is missing is "".
static void parse(char *line, char *strings[MEMBERS]) {
  for (int i = 0; i < MEMBERS; i++) strings[i] = "";
  for (char *p = strchr(line, '{'), *end; p && (p = strchr(p, '"')); p = *end ? end + 1 : NULL) {
    char *quote = strchr(p + 1, '"'), *last = end = value_end(p);
    if (!quote || quote > end) break;
    char *value = quote + 1 + strspn(quote + 1, " \t:");
    while (last > value && *last != '"') last--;
    *quote = 0;
    for (int i = 0; i < MEMBERS; i++)
      if (last > value && *value == '"' && !strcmp(names[i], p + 1)) strings[i] = value + 1, *last = 0;
  }
}

// A path without the backslashes of JSON; the oracle's paths have no other escapes than \/ \" \\.
static char *unescaped(const char *text) {
  char *path = strdup(text), *to = path;
  for (; *text; text++) *to++ = *text == '\\' && text[1] ? *++text : *text;
  *to = 0;
  return path;
}

int main(void) {
  char *line = NULL, *m[MEMBERS];
  size_t capacity = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);  // an answer has to leave at once
  while (getline(&line, &capacity, stdin) > 0) {
    parse(line, m);
    if (!strcmp(m[TYPE], "stop")) return puts("{\"type\": \"stopped\"}") < 0;
    if (!strcmp(m[TYPE], "start")) {
      puts("{\"type\": \"started\", \"protocol\": 1, \"engine\": {\"name\": \"sinkhorn.c\", \"version\": \"1\"}, "
           "\"precision\": \"fp32\", \"operations\": [\"sinkhorn\"]}");
    } else if (!strcmp(m[TYPE], "run") && strcmp(m[OPERATION], "sinkhorn")) {
      printf("{\"type\": \"unsupported\", \"id\": \"%s\", \"reason\": \"only sinkhorn\"}\n", m[ID]);
    } else {
      char *file = unescaped(m[CASE]), *result = unescaped(m[RESULT]);
      const char *problem = strcmp(m[TYPE], "run") ? "unknown type of message" : compute(file, result);
      printf(problem ? "{\"type\": \"error\", \"id\": \"%s\", \"error\": \"%s\"}\n"
                     : "{\"type\": \"result\", \"id\": \"%s\", \"file\": \"%s\"}\n", m[ID], problem ? problem : m[RESULT]);
      H5close(), free(file), free(result);
    }
  }
  return 1;  // the oracle is gone without a stop
}
