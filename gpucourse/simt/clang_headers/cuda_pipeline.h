// CUDA's asynchronous copies as they are before compute capability 8.0: ordinary ones.
#pragma once
__GC__ void __pipeline_memcpy_async(void* to, const void* from, size_t size, size_t zeros = 0) {
  typedef int word4 __attribute__((ext_vector_type(4), may_alias));
  typedef int word2 __attribute__((ext_vector_type(2), may_alias));
  typedef int word __attribute__((may_alias));
  if (size == 16 && !zeros) *(word4*)to = *(const word4*)from;
  else if (size == 8 && !zeros) *(word2*)to = *(const word2*)from;
  else if (size == 4 && !zeros) *(word*)to = *(const word*)from;
  else for (size_t i = 0; i < size; i++) ((char*)to)[i] = i < size - zeros ? ((const char*)from)[i] : 0;
}
__GC__ void __pipeline_commit() {}
__GC__ void __pipeline_wait_prior(size_t) {}
