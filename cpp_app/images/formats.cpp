#include "formats.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <vector>

namespace imgsim::app {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  std::string_view format;
};

// These two tables are those of imgsim_ops/images/formats.py, and a test compares them by asking both programs.
constexpr Signature kSignatures[] = {
    {"\377\330\377"sv, "JPEG"},
    {"\211PNG\015\012\032\012"sv, "PNG"},
    {"GIF87a"sv, "GIF"},
    {"GIF89a"sv, "GIF"},
    {"II*\000\020\000\000\000CR"sv, "RAW"},
    {"II*\000"sv, "TIFF"},
    {"MM\000*"sv, "TIFF"},
    {"II+\000"sv, "TIFF"},
    {"MM\000+"sv, "TIFF"},
    {"\000\000\000\014JXL \015\012\207\012"sv, "JXL"},
    {"\377\012"sv, "JXL"},
    {"\000\000\000\014jP  \015\012\207\012"sv, "JPEG2000"},
    {"\377O\377Q"sv, "JPEG2000"},
    {"icns"sv, "ICNS"},
    {"DDS |\000\000\000"sv, "DDS"},
    {"8BPS\000\001"sv, "PSD"},
    {"8BPS\000\002"sv, "PSB"},
    {"FUJIFILMCCD-RAW"sv, "RAW"},
    {"IIRO"sv, "RAW"},
    {"IIRS"sv, "RAW"},
    {"MMOR"sv, "RAW"},
    {"IIU\000"sv, "RAW"},
    {"FOVb"sv, "RAW"},
    {"\000MRM"sv, "RAW"},
    {"II\032\000\000\000HEAPCCDR"sv, "RAW"},
    {"gimp xcf "sv, "XCF"},
    {"v/1\001"sv, "EXR"},
    {"#\077RADIANCE"sv, "HDR"},
    {"#\077RGBE"sv, "HDR"},
    {"II\274\001"sv, "JPEGXR"},
    {"AT&TFORM"sv, "DJVU"},
    {"SIMPLE  ="sv, "FITS"},
    {"qoif"sv, "QOI"},
    {"FLIF"sv, "FLIF"},
    {"BPG\373"sv, "BPG"},
    {"\212MNG\015\012\032\012"sv, "MNG"},
    {"\213JNG\015\012\032\012"sv, "MNG"},
    {"\253KTX "sv, "KTX"},
    {"%PDF-"sv, "pdf"},
    {"\032E\337\243"sv, "video"},
};

struct Claim {
  std::string_view format;
  std::string_view suffixes;
};

constexpr Claim kClaims[] = {
    {"JPEG", ".jpg .jpeg .jpe .jfif .mpo"},
    {"PNG", ".png .apng"},
    {"WEBP", ".webp"},
    {"GIF", ".gif"},
    {"BMP", ".bmp .dib"},
    {"TIFF", ".tif .tiff"},
    {"AVIF", ".avif"},
    {"HEIF", ".heic .heif .hif"},
    {"JXL", ".jxl"},
    {"JPEG2000", ".jp2 .j2k .jpc .jpf .jpx .j2c"},
    {"PNM", ".ppm .pgm .pbm .pnm"},
    {"TGA", ".tga .icb .vda .vst"},
    {"ICO", ".ico"},
    {"ICNS", ".icns"},
    {"PCX", ".pcx"},
    {"DDS", ".dds"},
    {"PSD", ".psd"},
    {"RAW",
     ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw "
     ".rw2 .rwl .sr2 .srf .srw .x3f"},
    {"PSB", ".psb"},
    {"XCF", ".xcf"},
    {"KRITA", ".kra .ora"},
    {"EXR", ".exr"},
    {"HDR", ".hdr .rgbe"},
    {"PFM", ".pfm"},
    {"PAM", ".pam"},
    {"JPEGXR", ".jxr .wdp .hdp"},
    {"JPEGLS", ".jls"},
    {"DJVU", ".djvu .djv"},
    {"FITS", ".fits"},
    {"DICOM", ".dcm .dicom"},
    {"QOI", ".qoi"},
    {"FLIF", ".flif"},
    {"BPG", ".bpg"},
    {"CUR", ".cur .ani"},
    {"SGI", ".sgi"},
    {"SUN", ".ras"},
    {"PICT", ".pict .pct"},
    {"XBM", ".xbm .xpm"},
    {"MNG", ".mng .jng"},
    {"EPS", ".eps"},
    {"WMF", ".wmf .emf"},
    {"KTX", ".ktx .ktx2"},
    {"OTHER", ".wbmp .dcx .fpx .afphoto .procreate .pdn"},
    {"video", ".mov .mp4 .m4v .avi .mkv .webm .mts .m2ts .3gp .3g2 .mpg .mpeg .wmv .flv .ogv .insv"},
    {"svg", ".svg .svgz"},
    {"pdf", ".pdf .ai"},
};

constexpr std::string_view kRead[] = {"JPEG", "PNG", "WEBP", "GIF"};
constexpr std::string_view kAside[] = {"video", "svg", "pdf"};
// Formats whose content does not always tell: what Python reads or names by the file's name.
constexpr std::string_view kToldByContent[] = {"JPEG",     "PNG", "WEBP", "GIF", "BMP",  "TIFF", "AVIF", "HEIF", "JXL",
                                               "JPEG2000", "PNM", "TGA",  "ICO", "ICNS", "PCX",  "DDS",  "PSD"};
constexpr std::string_view kTargaFooter = "TRUEVISION-XFILE.\0"sv;

template <size_t N>
bool among(const std::string_view (&list)[N], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string_view boxed_format(Bytes head) {
  const std::string_view name = text(slice(head, 4, 4));
  if (name != "ftyp" || head.size() < 12) {
    constexpr std::string_view kQuickTime[] = {"moov", "wide", "skip", "mdat"};
    return among(kQuickTime, name) ? "video" : "";
  }
  constexpr std::string_view kAvif[] = {"avif", "avis"};
  constexpr std::string_view kHeif[] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"};
  constexpr std::string_view kNeither[] = {"mif1", "msf1", "M4A ", "M4B "};
  std::vector<std::string_view> brands{text(slice(head, 8, 4))};
  const size_t stop = std::min<size_t>(head.size(), big_endian(head, 0, 4));
  for (size_t at = 16; at < stop; at += 4) {
    brands.push_back(text(slice(head, at, 4)));
  }
  const auto any = [&](const auto& list) {
    return std::any_of(brands.begin(), brands.end(), [&](std::string_view brand) { return among(list, brand); });
  };
  return any(kAvif)                   ? "AVIF"
         : any(kHeif)                 ? "HEIF"
         : brands[0] == "crx "        ? "RAW"
         : among(kNeither, brands[0]) ? ""
                                      : "video";
}

bool is_pcx(Bytes head) {
  const auto one_of = [](uint8_t value, std::string_view list) {
    return list.find(static_cast<char>(value)) != list.npos;
  };
  return head.size() == kHeadSize && head[0] == 10 && one_of(head[1], "\0\2\3\4\5"sv) && head[2] == 1 &&
         one_of(head[3], "\1\2\4\10"sv) && head[64] == 0 && one_of(head[65], "\1\2\3\4"sv);
}

bool is_icon(Bytes head) {
  if (head.size() < 22 || head[0] != 0 || head[1] != 0 || (head[2] != 1 && head[2] != 2) || head[3] != 0 ||
      head[9] != 0) {
    return false;
  }
  const uint32_t number = little_endian(head, 4, 2);
  return number > 0 && little_endian(head, 14, 4) > 0 && little_endian(head, 18, 4) >= 6 + 16 * number;
}

bool is_targa(Bytes file, Bytes tail, bool claimed) {
  if (tail.size() > kTargaFooter.size() && file[1] <= 1 && text(tail).ends_with(kTargaFooter)) {
    return true;
  }
  if (!claimed || file.size() < 18) {
    return false;
  }
  const auto one_of = [](uint8_t value, std::string_view list) {
    return list.find(static_cast<char>(value)) != list.npos;
  };
  const uint8_t mapped = file[1], kind = file[2];
  return mapped <= 1 && one_of(kind, "\1\2\3\11\12\13"sv) && (mapped == 1 || (kind != 1 && kind != 9)) &&
         little_endian(file, 12, 2) != 0 && little_endian(file, 14, 2) != 0 && one_of(file[16], "\10\17\20\30\40"sv);
}

bool matches(Bytes head, const char* pattern) {
  const std::string_view all = text(head);
  return std::regex_search(all.begin(), all.end(), std::regex(pattern), std::regex_constants::match_continuous);
}

std::string_view told_by_head(Bytes head) {
  for (const Signature& signature : kSignatures) {
    if (text(head).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  if (text(head).starts_with("RIFF")) {
    const std::string_view kind = text(slice(head, 8, 4));
    return kind == "WEBP" ? "WEBP" : kind == "AVI " ? "video" : "";
  }
  // Two letters are a weak signature: ask also for one of the header lengths that BMP has had.
  if (text(head).starts_with("BM") && head.size() >= 18 && little_endian(head, 14, 4) >= 12 &&
      little_endian(head, 14, 4) <= 124) {
    return "BMP";
  }
  if (matches(head, R"(P[1-6](?:\s+\d+\s+\d+[\s#]|\s+#))")) {
    return "PNM";
  }
  if (is_pcx(head)) {
    return "PCX";
  }
  if (is_icon(head)) {
    return head[2] == 1 ? "ICO" : "CUR";
  }
  if (matches(head, R"(\s*(?:<\?xml[^>]*>\s*|<!--[\s\S]*?-->\s*|<!DOCTYPE svg)*<svg[\s>])")) {
    return "svg";
  }
  return boxed_format(head);
}

}  // namespace

std::string_view claimed_format(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string_view name = std::string_view(path).substr(slash == path.npos ? 0 : slash + 1);
  const size_t dot = name.rfind('.');
  if (dot == name.npos || name.find_first_not_of('.') > dot) {  // of ".jpg" it is the whole name
    return "";
  }
  std::string suffix(name.substr(dot));
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& [format, suffixes] : kClaims) {
    const size_t at = (std::string(suffixes) + ' ').find(suffix + ' ');
    if (at != std::string::npos) {
      return format;
    }
  }
  return "";
}

bool is_surely_meant(const std::string& path) {
  // Templates of Visio, settings, headers of ENVI and of Analyze.
  constexpr std::string_view kShared = ".icb .vda .vst .hdr ";
  std::string suffix = path.substr(std::min(path.size(), path.rfind('.'))) + ' ';
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return !claimed_format(path).empty() && kShared.find(suffix) == kShared.npos;
}

std::string_view picture_format(Bytes head, Bytes tail, const std::string& path) {
  const std::string_view told = told_by_head(slice(head, 0, kHeadSize));
  const std::string_view claimed = claimed_format(path);
  if (!told.empty()) {
    return told;
  }
  if (is_targa(head, tail, claimed == "TGA")) {
    return "TGA";
  }
  return among(kToldByContent, claimed) || !is_surely_meant(path) ? "" : claimed;
}

bool is_read(std::string_view format) { return among(kRead, format); }

bool is_aside(std::string_view format) { return among(kAside, format); }

}  // namespace imgsim::app
