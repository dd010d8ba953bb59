// ONNX Runtime's C interface, as much of it as is used here.
//
// No package ships the header, and none is needed: ONNX Runtime promises that functions keep their places in its table
// and that OrtCustomOp only grows at its end. This file is the only one that knows those places.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgsim::ort {

/// The version of the interface that is asked for: ONNX Runtime 1.17 and newer have it.
constexpr uint32_t kApiVersion = 17;

struct OrtStatus;
struct OrtSessionOptions;
struct OrtCustomOpDomain;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtValue;
struct OrtTensorTypeAndShapeInfo;
struct OrtShapeInferContext;
struct OrtOpAttr;
struct OrtCustomOp;

enum OrtErrorCode : int { kInvalidArgument = 2, kRuntimeException = 6 };
enum ElementType : int {
  kFloat = 1,
  kUInt8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kBFloat16 = 16
};
enum Characteristic : int { kRequired = 0 };
enum MemoryType : int { kDefaultMemory = 0 };
enum AttributeType : int { kInt = 1, kInts = 2 };

/// A function of the table: its type, and its slot counted from 0.
template <class Signature>
struct Function {
  size_t slot;
};

/// The table of functions, called as api[CreateStatus](...). A status is null for success, else the receiver's to
/// release.
struct OrtApi {
  template <class Result, class... Args>
  auto operator[](Function<Result(Args...)> function) const {
    return reinterpret_cast<Result (*)(Args...)>(reinterpret_cast<void* const*>(this)[function.slot]);
  }
};

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);  // null where this ONNX Runtime is older than that
  const char* (*GetVersionString)();
};

constexpr Function<OrtStatus*(OrtErrorCode, const char* message)> CreateStatus{0};
constexpr Function<const char*(const OrtStatus*)> GetErrorMessage{2};
constexpr Function<void(OrtStatus*)> ReleaseStatus{93};

constexpr Function<OrtStatus*(const char* name, OrtCustomOpDomain** out)> CreateCustomOpDomain{26};
constexpr Function<OrtStatus*(OrtCustomOpDomain*, const OrtCustomOp*)> CustomOpDomain_Add{27};
constexpr Function<OrtStatus*(OrtSessionOptions*, OrtCustomOpDomain*)> AddCustomOpDomain{28};
constexpr Function<void(OrtCustomOpDomain*)> ReleaseCustomOpDomain{101};

constexpr Function<OrtStatus*(OrtValue*, void** out)> GetTensorMutableData{51};
constexpr Function<OrtStatus*(const OrtValue*, OrtTensorTypeAndShapeInfo** out)> GetTensorTypeAndShape{65};
constexpr Function<OrtStatus*(OrtTensorTypeAndShapeInfo** out)> CreateTensorTypeAndShapeInfo{57};
constexpr Function<OrtStatus*(OrtTensorTypeAndShapeInfo*, ElementType)> SetTensorElementType{58};
constexpr Function<OrtStatus*(OrtTensorTypeAndShapeInfo*, const int64_t* sizes, size_t count)> SetDimensions{59};
constexpr Function<OrtStatus*(const OrtTensorTypeAndShapeInfo*, ElementType* out)> GetTensorElementType{60};
constexpr Function<OrtStatus*(const OrtTensorTypeAndShapeInfo*, size_t* out)> GetDimensionsCount{61};
constexpr Function<OrtStatus*(const OrtTensorTypeAndShapeInfo*, int64_t* sizes, size_t count)> GetDimensions{62};
constexpr Function<OrtStatus*(const OrtTensorTypeAndShapeInfo*, const char** names, size_t count)>
    GetSymbolicDimensions{63};
constexpr Function<OrtStatus*(OrtTensorTypeAndShapeInfo*, const char** names, size_t count)> SetSymbolicDimensions{271};
constexpr Function<void(OrtTensorTypeAndShapeInfo*)> ReleaseTensorTypeAndShapeInfo{99};

constexpr Function<OrtStatus*(const OrtKernelInfo*, const char* name, float* out)> KernelInfoGetAttribute_float{85};
constexpr Function<OrtStatus*(const OrtKernelInfo*, const char* name, int64_t* out)> KernelInfoGetAttribute_int64{86};
constexpr Function<OrtStatus*(const OrtKernelInfo*, const char* name, char* out, size_t* size)>
    KernelInfoGetAttribute_string{87};
// With null for `out` they say the size.
constexpr Function<OrtStatus*(const OrtKernelInfo*, const char* name, float* out, size_t* size)>
    KernelInfoGetAttributeArray_float{162};
constexpr Function<OrtStatus*(const OrtKernelInfo*, const char* name, int64_t* out, size_t* size)>
    KernelInfoGetAttributeArray_int64{163};

constexpr Function<OrtStatus*(const OrtKernelContext*, size_t index, const OrtValue** out)> KernelContext_GetInput{90};
constexpr Function<OrtStatus*(OrtKernelContext*, size_t index, const int64_t* sizes, size_t count, OrtValue** out)>
    KernelContext_GetOutput{91};
// batches: 0 hands out one index at a time.
constexpr Function<OrtStatus*(const OrtKernelContext*, void (*body)(void* user, size_t index), size_t total,
                              size_t batches, void* user)>
    KernelContext_ParallelFor{274};

// What comes back is the context's own.
constexpr Function<OrtStatus*(const OrtShapeInferContext*, size_t index, OrtTensorTypeAndShapeInfo** out)>
    ShapeInferContext_GetInputTypeShape{268};
constexpr Function<OrtStatus*(const OrtShapeInferContext*, const char* name, const OrtOpAttr** out)>
    ShapeInferContext_GetAttribute{269};
constexpr Function<OrtStatus*(const OrtShapeInferContext*, size_t index, const OrtTensorTypeAndShapeInfo*)>
    ShapeInferContext_SetOutputTypeShape{270};
constexpr Function<OrtStatus*(const OrtOpAttr*, AttributeType, void* data, size_t capacity, size_t* bytes)> ReadOpAttr{
    272};

/// An operator for one combination of types. ONNX Runtime keeps the pointer and hands it back as `op`.
struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*);
  const char* (*GetName)(const OrtCustomOp*);
  const char* (*GetExecutionProviderType)(const OrtCustomOp*);  // returns null for the processor
  ElementType (*GetInputType)(const OrtCustomOp*, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp*);
  ElementType (*GetOutputType)(const OrtCustomOp*, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp*);
  void (*KernelCompute)(void* kernel, OrtKernelContext*);
  void (*KernelDestroy)(void* kernel);
  Characteristic (*GetInputCharacteristic)(const OrtCustomOp*, size_t index);
  Characteristic (*GetOutputCharacteristic)(const OrtCustomOp*, size_t index);
  MemoryType (*GetInputMemoryType)(const OrtCustomOp*, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp*);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp*);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp*);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp*);
  // Used in the place of those without V2, which can say nothing of errors. These and all below may be null.
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*, void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext*);
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp*, OrtShapeInferContext*);
  int (*GetStartVersion)(const OrtCustomOp*);
  int (*GetEndVersion)(const OrtCustomOp*);
  void* unused[4];  // outputs in the place of inputs; null: none
};
static_assert(sizeof(void*) != 8 ||
              (sizeof(OrtCustomOp) == 208 && offsetof(OrtCustomOp, CreateKernel) == 8 &&
               offsetof(OrtCustomOp, GetName) == 16 && offsetof(OrtCustomOp, GetExecutionProviderType) == 24 &&
               offsetof(OrtCustomOp, GetInputType) == 32 && offsetof(OrtCustomOp, GetInputTypeCount) == 40 &&
               offsetof(OrtCustomOp, GetOutputType) == 48 && offsetof(OrtCustomOp, GetOutputTypeCount) == 56 &&
               offsetof(OrtCustomOp, KernelCompute) == 64 && offsetof(OrtCustomOp, KernelDestroy) == 72 &&
               offsetof(OrtCustomOp, GetInputCharacteristic) == 80 &&
               offsetof(OrtCustomOp, GetOutputCharacteristic) == 88 &&
               offsetof(OrtCustomOp, GetInputMemoryType) == 96 &&
               offsetof(OrtCustomOp, GetVariadicInputMinArity) == 104 &&
               offsetof(OrtCustomOp, GetVariadicOutputHomogeneity) == 128 &&
               offsetof(OrtCustomOp, CreateKernelV2) == 136 && offsetof(OrtCustomOp, KernelComputeV2) == 144 &&
               offsetof(OrtCustomOp, InferOutputShapeFn) == 152 && offsetof(OrtCustomOp, GetStartVersion) == 160 &&
               offsetof(OrtCustomOp, GetEndVersion) == 168 && offsetof(OrtCustomOp, unused) == 176));

}  // namespace imgsim::ort
