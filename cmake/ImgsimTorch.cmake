# imgsim_libtorch: the headers and CPU libraries of the torch that the Python interpreter sees.
#
# Not find_package(Torch): the one in CUDA wheels demands a whole CUDA toolkit, even to build for the CPU.
find_package(Python REQUIRED COMPONENTS Interpreter OPTIONAL_COMPONENTS Development.Module)
execute_process(
  COMMAND ${Python_EXECUTABLE} -c
          "import importlib.util, pathlib; print(pathlib.Path(importlib.util.find_spec('torch').origin).parent.as_posix())"
  OUTPUT_VARIABLE IMGSIM_TORCH_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
if(failed)
  message(FATAL_ERROR "imgsim: building needs torch in the Python that builds (got ${Python_EXECUTABLE}, which has none)")
endif()

add_library(imgsim_libtorch INTERFACE)
target_include_directories(imgsim_libtorch SYSTEM INTERFACE
  ${IMGSIM_TORCH_DIR}/include ${IMGSIM_TORCH_DIR}/include/torch/csrc/api/include)
if(APPLE)
  set(suffix dylib)
else()
  set(suffix so)
endif()
target_link_libraries(imgsim_libtorch INTERFACE
  ${IMGSIM_TORCH_DIR}/lib/libtorch_cpu.${suffix} ${IMGSIM_TORCH_DIR}/lib/libc10.${suffix})
