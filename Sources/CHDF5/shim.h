// What Swift cannot import from hdf5.h, because it is a macro there: wrapped as inline functions.
#pragma once
#include <hdf5.h>

// Element types in memory, and the little-endian types that files are written in.
static inline hid_t chdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t chdf5_native_int32(void) { return H5T_NATIVE_INT32; }
static inline hid_t chdf5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t chdf5_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t chdf5_native_int8(void) { return H5T_NATIVE_INT8; }
static inline hid_t chdf5_file_float(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_file_double(void) { return H5T_IEEE_F64LE; }
static inline hid_t chdf5_file_int32(void) { return H5T_STD_I32LE; }
static inline hid_t chdf5_file_int64(void) { return H5T_STD_I64LE; }
static inline hid_t chdf5_file_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_file_int8(void) { return H5T_STD_I8LE; }
static inline hid_t chdf5_c_string(void) { return H5T_C_S1; }

// Property list classes and flags.
static inline hid_t chdf5_dataset_create_class(void) { return H5P_DATASET_CREATE; }
static inline hid_t chdf5_default(void) { return H5P_DEFAULT; }
static inline unsigned chdf5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_truncate(void) { return H5F_ACC_TRUNC; }

// Functions that are versioned macros in HDF5 1.12 and later.
static inline hid_t chdf5_dataset_open(hid_t location, const char *name) { return H5Dopen2(location, name, H5P_DEFAULT); }
static inline hid_t chdf5_group_open(hid_t location, const char *name) { return H5Gopen2(location, name, H5P_DEFAULT); }
static inline hid_t chdf5_group_create(hid_t location, const char *name) {
  return H5Gcreate2(location, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}
static inline hid_t chdf5_attribute_create(hid_t location, const char *name, hid_t type, hid_t space) {
  return H5Acreate2(location, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
}
static inline hid_t chdf5_dataset_create(hid_t location, const char *name, hid_t type, hid_t space, hid_t properties) {
  return H5Dcreate2(location, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
}

// Whether the link `name` is a hard one: 1 yes, 0 a soft, external or user-defined one, -1 there is none.
static inline int chdf5_link_is_hard(hid_t location, const char *name) {
  H5L_info_t info;
  if (H5Lget_info(location, name, &info, H5P_DEFAULT) < 0) return -1;
  return info.type == H5L_TYPE_HARD ? 1 : 0;
}

// HDF5 prints its error stack to standard error unless it is told not to.
static inline void chdf5_silence_errors(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

static inline herr_t chdf5_keep_innermost(unsigned depth, const H5E_error2_t *entry, void *text) {
  (void)depth;
  *(const char **)text = entry->desc;
  return 1;  // the first entry of an upward walk is the innermost one: stop there
}

// The innermost message of this thread's error stack, or NULL. Valid until the next call into HDF5.
static inline const char *chdf5_innermost_error(void) {
  const char *text = NULL;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, chdf5_keep_innermost, &text);
  return text;
}

static inline herr_t chdf5_count_attribute(hid_t location, const char *name, const H5A_info_t *info, void *count) {
  (void)location, (void)name, (void)info;
  *(int64_t *)count += 1;
  return 0;
}

// The number of attributes of an object, or -1.
static inline int64_t chdf5_attribute_count(hid_t location) {
  int64_t count = 0;
  hsize_t index = 0;
  return H5Aiterate2(location, H5_INDEX_NAME, H5_ITER_INC, &index, chdf5_count_attribute, &count) < 0 ? -1 : count;
}

// The identifier of filter `index` of a dataset's creation properties, or -1.
static inline int chdf5_filter(hid_t properties, unsigned index) {
  unsigned flags = 0, configuration = 0;
  size_t values = 0;
  return (int)H5Pget_filter2(properties, index, &flags, &values, NULL, 0, NULL, &configuration);
}
static inline int chdf5_filter_is_known(int filter) {
  return filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
}
