// The choice of a table of loops, made once, from what the processor says of itself.

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "loops.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace imgsim {

#define IMGSIM_DECLARE_ISA(isa) \
  namespace isa {               \
  extern const Loops kTable;    \
  }
IMGSIM_DECLARE_ISA(plain)
#if defined(IMGSIM_HAS_AVX2)
IMGSIM_DECLARE_ISA(avx2)
IMGSIM_DECLARE_ISA(avx512)
#endif

namespace {

struct Entry {
  const Loops* table;
  bool usable;
};

// Best first.
const Entry* entries(int* count) {
  static const Entry kEntries[] = {
#if defined(IMGSIM_HAS_AVX2)
      {&avx512::kTable, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vnni")},
      {&avx2::kTable,
       __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")},
#endif
      {&plain::kTable, true},
  };
  *count = static_cast<int>(sizeof(kEntries) / sizeof(kEntries[0]));
  return kEntries;
}

const Loops& choose() {
  const char* wanted = std::getenv("IMGSIM_ISA");
  int count = 0;
  const Entry* all = entries(&count);
  for (int i = 0; i < count; ++i) {
    const bool named = wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, all[i].table->name) == 0;
    if (named && all[i].usable) {
      return *all[i].table;
    }
  }
  throw std::invalid_argument(
      std::string("IMGSIM_ISA: this build and this processor have no such instruction set (got ") + wanted + ")");
}

}  // namespace

const Loops& loops() {
  static const Loops& table = choose();
  return table;
}

bool has_int8_dot_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") || __builtin_cpu_supports("avxvnni");
#elif defined(__aarch64__) && defined(__APPLE__)
  return true;  // all of Apple's
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return false;
#endif
}

const IsaInfo* isa_list(int* count) {
  static IsaInfo list[4];
  const Entry* all = entries(count);
  for (int i = 0; i < *count; ++i) {
    list[i] = {all[i].table->name, all[i].usable};
  }
  return list;
}

}  // namespace imgsim
