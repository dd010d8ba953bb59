// The one function that ONNX Runtime looks for in a library of operators.

#include <map>
#include <mutex>

#include "custom_op.h"

namespace imgsim::ort {
namespace {

/// The operators for this ONNX Runtime; a process may hold several. Made once and never destroyed: sessions point to
/// it.
const Domain& domain_of(const OrtApi& api) {
  static std::mutex mutex;
  static auto& domains = *new std::map<const OrtApi*, std::unique_ptr<Domain>>();
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Domain>& domain = domains[&api];
  if (!domain) {
    auto made = std::make_unique<Domain>(api);
    add_channel_stats(*made);
    add_cosine_pairs(*made);
    add_cosine_similarity(*made);
    add_cosine_topk(*made);
    add_multiscale_pool(*made);
    add_reduce_mean(*made);
    add_repeat_interleave(*made);
    domain = std::move(made);
  }
  return *domain;
}

/// The refusal of an ONNX Runtime without our version of the interface, made by the oldest, which every one has.
OrtStatus* too_old(const OrtApiBase& base) {
  const OrtApi* oldest = base.GetApi(1);
  if (oldest == nullptr) {
    return nullptr;  // no way to say anything: the session will miss the operators
  }
  return guarded(*oldest, [&] {
    check(false, "imgsim: ONNX Runtime must be 1.", kApiVersion, " or newer (got ", base.GetVersionString(), ")");
  });
}

}  // namespace
}  // namespace imgsim::ort

extern "C" __attribute__((visibility("default"))) imgsim::ort::OrtStatus* RegisterCustomOps(
    imgsim::ort::OrtSessionOptions* options, const imgsim::ort::OrtApiBase* base) {
  const imgsim::ort::OrtApi* api = base->GetApi(imgsim::ort::kApiVersion);
  if (api == nullptr) {
    return imgsim::ort::too_old(*base);
  }
  return imgsim::ort::guarded(*api, [&] { imgsim::ort::domain_of(*api).add_to(options); });
}
