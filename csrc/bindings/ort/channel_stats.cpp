// imgsim:ChannelStats(images: T or uint8 (N, C, H, W)) -> mean, std: float, for double images double, (C)

#include "kernels/channel_stats.h"

#include "custom_op.h"
#include "kernels/layouts.h"

namespace imgsim::ort {
namespace {

class ChannelStats {
 public:
  static constexpr const char* kName = "ChannelStats";
  static constexpr const char* kErrorName = "channel_stats";
  static constexpr size_t kInputs = 1;
  static constexpr size_t kOutputs = 2;
  static constexpr ElementType kTypes[] = {kFloat, kDouble, kFloat16, kBFloat16, kUInt8};

  static ElementType output_type(size_t, ElementType input) { return wide_type(input); }

  explicit ChannelStats(const Attributes&) {}

  void compute(const Context& context) const {
    const auto [data, shape] = context.input(0);
    check_channel_stats(shape, 0);
    const int64_t channels = shape[1];
    const Images images = images_of(context.dtype(), data, shape, row_major_strides(shape));
    const std::vector<Moments> moments = channel_moments(images, context.executor());
    write_values(context.dtype(), means_of(moments), context.output(0, {channels}));
    write_values(context.dtype(), stds_of(moments), context.output(1, {channels}));
  }
};

}  // namespace

void add_channel_stats(Domain& domain) { domain.add<ChannelStats>(); }

}  // namespace imgsim::ort
