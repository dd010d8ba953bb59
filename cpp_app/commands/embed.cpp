#include "embed.h"

#include "errors.h"
#include "images/decode.h"
#include "images/image_library.h"
#include "json.h"
#include "model.h"
#include "output.h"
#include "skipped.h"
#include "text.h"

namespace imgsim::app {

int embed(const Arguments& arguments) {
  load_image_library();
  set_torch_threads(arguments.threads);
  const Model model(arguments.model);
  std::vector<uint8_t> pixels(model.pixel_bytes());
  std::vector<Skipped> skipped;
  Json json;
  json.open('{')
      .field("fingerprint", model.fingerprint())
      .field("dimension", model.dimension())
      .key("pictures")
      .open('[');
  for (const std::string& path : arguments.paths) {
    try {
      const QuietDecoders quiet;
      preprocess(decode(path), model.resize(), model.crop(), pixels.data());
    } catch (const PictureError& error) {
      skipped.push_back({path, error.code(), error.what()});
      continue;
    }
    const std::vector<float> vector = model.embed(pixels, 1);
    if (arguments.json) {
      json.open('{').field("path", path).field("embedding", vector).close();
      continue;
    }
    print("# %s\n", printable(path).c_str());
    for (const float value : vector) {
      print("%.9g\n", value);
    }
  }
  json.close();
  if (arguments.json) {
    add_skipped(json, skipped);
    print("%s\n", json.close().text().c_str());
  }
  return report_skipped(skipped);
}

}  // namespace imgsim::app
