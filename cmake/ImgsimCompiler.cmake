# Flags that every native target shares, as the interface target imgsim_flags.
if(MSVC)
  message(FATAL_ERROR "imgsim: the kernels use GCC and Clang vector types; on Windows build with clang (got MSVC)")
endif()

add_library(imgsim_flags INTERFACE)
target_compile_options(imgsim_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -fno-math-errno -fno-trapping-math
  # No path of the building machine in messages or debug information.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>)
if(IMGSIM_NATIVE)
  target_compile_options(imgsim_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()
# Release is -O3 without -g; assertions of the standard library are for debug builds.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
