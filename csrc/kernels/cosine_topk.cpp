#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "cosine.h"
#include "screen.h"

namespace imgsim {
namespace {

// The k best of one query so far: a heap whose top is the worst kept.
struct Scored {
  double score;
  int64_t index;
};

// Order of an answer: NaN last, ties by lower index.
bool better(const Scored& a, const Scored& b) {
  if (std::isnan(a.score) != std::isnan(b.score)) {
    return std::isnan(b.score);
  }
  return a.score != b.score && !std::isnan(a.score) ? a.score > b.score : a.index < b.index;
}

class Best {
 public:
  explicit Best(int64_t k) : k_(static_cast<size_t>(k)) { heap_.reserve(k_); }

  void offer(const Scored& item) {
    if (heap_.size() < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (k_ > 0 && better(item, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = item;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  /// A score below this one cannot enter any more.
  double threshold() const {
    const bool open = heap_.size() < k_ || std::isnan(heap_.front().score);
    return open ? -std::numeric_limits<double>::infinity() : heap_.front().score;
  }

  const std::vector<Scored>& items() const { return heap_; }

 private:
  size_t k_;
  std::vector<Scored> heap_;
};

constexpr int64_t kPanelQueries = 256;
constexpr int64_t kBlockRows = 128;
constexpr int64_t kSubBlock = 32;  // rows screened before the thresholds are raised again

// Up to this many queries the scan is bound by memory, and scoring everything exactly costs nothing more.
constexpr int64_t kDirectQueries = 4;
constexpr int64_t kDirectRows = 8;  // scored by one query after the other while they are in the nearest cache

template <class T>
class TopK {
 public:
  TopK(const TypedMatrix<T>& queries, const TypedMatrix<T>& gallery, int64_t k, const Executor& executor)
      : queries_(queries), gallery_(gallery), k_(k), executor_(executor), scorer_(gallery, kCosineEps) {
    screened_ = queries.rows > kDirectQueries && can_screen(gallery.dim);
    if (screened_) {
      centre_ = choose_centre(gallery);
    }
  }

  void run(RankedScore<T>* scores, int64_t* indices) {
    for (int64_t first = 0; first < queries_.rows; first += kPanelQueries) {
      const int64_t count = std::min(kPanelQueries, queries_.rows - first);
      run_panel(first, count, scores, indices);
    }
  }

 private:
  void run_panel(int64_t first, int64_t count, RankedScore<T>* scores, int64_t* indices) {
    Queries<T> queries;
    queries.fill(queries_, first, count);
    SketchedRows sketched_queries(screened_ ? count : 0, gallery_.dim);
    if (screened_) {
      sketched_queries.fill(queries_, centre_, first, count);
    }

    const int64_t blocks = (gallery_.rows + kBlockRows - 1) / kBlockRows;
    const int64_t slots = std::clamp<int64_t>(executor_.threads(), 1, std::max<int64_t>(1, blocks));
    std::vector<std::vector<Best>> best(static_cast<size_t>(slots));
    std::atomic<int64_t> next{0};
    executor_.parallel_for(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        if (next.load() >= blocks) {  // an executor with fewer threads than it said: too late for any room
          continue;
        }
        std::vector<Best>& mine = best[static_cast<size_t>(slot)];
        mine.reserve(static_cast<size_t>(count));
        for (int64_t q = 0; q < count; ++q) {
          mine.emplace_back(k_);  // a copy would not keep the room that was reserved
        }
        if (screened_) {
          screened_slot(sketched_queries, queries, blocks, next, mine);
        } else {
          direct_slot(queries, blocks, next, mine);
        }
      }
    });
    for (int64_t q = 0; q < count; ++q) {
      write(best, static_cast<size_t>(q), (first + q) * k_, scores, indices);
    }
  }

  void direct_slot(const Queries<T>& queries, int64_t blocks, std::atomic<int64_t>& next,
                   std::vector<Best>& best) const {
    for (int64_t block = next.fetch_add(1); block < blocks; block = next.fetch_add(1)) {
      const int64_t end = std::min(gallery_.rows, (block + 1) * kBlockRows);
      for (int64_t first = block * kBlockRows; first < end; first += kDirectRows) {
        const int64_t count = std::min(kDirectRows, end - first);
        for (size_t q = 0; q < best.size(); ++q) {
          double scores[kDirectRows];
          const double floor = best[q].threshold();
          scorer_.scores(queries[static_cast<int64_t>(q)], first, count, floor, scores);
          for (int64_t i = 0; i < count; ++i) {
            if (!(scores[i] < floor)) {
              best[q].offer({scores[i], first + i});
            }
          }
        }
      }
    }
  }

  void screened_slot(const SketchedRows& sketched_queries, const Queries<T>& queries, int64_t blocks,
                     std::atomic<int64_t>& next, std::vector<Best>& best) const {
    const auto count = static_cast<int64_t>(best.size());
    SketchedRows sketched(kBlockRows, gallery_.dim);
    Panel panel(count, sketched.dim4());
    panel.fill(sketched_queries, centre_, 0, count, -std::numeric_limits<float>::infinity());
    std::vector<Survivor> survivors(static_cast<size_t>(kSubBlock * count));
    for (int64_t block = next.fetch_add(1); block < blocks; block = next.fetch_add(1)) {
      const int64_t start = block * kBlockRows;
      const int64_t rows = std::min(kBlockRows, gallery_.rows - start);
      sketched.fill(gallery_, centre_, start, rows);
      for (int64_t sub = 0; sub < rows; sub += kSubBlock) {
        const int64_t found =
            loops().screening.screen(sketched.codes(sub), sketched.sketches(sub), std::min(kSubBlock, rows - sub),
                                     sketched.dim4(), panel.view(), survivors.data());
        for (int64_t i = 0; i < found; ++i) {
          const Survivor& pair = survivors[static_cast<size_t>(i)];
          const auto q = static_cast<size_t>(pair.lane);
          const int64_t row = start + sub + pair.row;
          best[q].offer({scorer_.score(queries[pair.lane], row), row});
          panel.thresholds()[q] = float_not_above(best[q].threshold());
        }
      }
    }
  }

  void write(const std::vector<std::vector<Best>>& slots, size_t query, int64_t at, RankedScore<T>* scores,
             int64_t* indices) const {
    std::vector<Scored> all;
    for (const std::vector<Best>& slot : slots) {
      if (!slot.empty()) {
        all.insert(all.end(), slot[query].items().begin(), slot[query].items().end());
      }
    }
    std::partial_sort(all.begin(), all.begin() + k_, all.end(), better);
    for (int64_t i = 0; i < k_; ++i) {
      const Scored& item = all[static_cast<size_t>(i)];
      scores[at + i] = static_cast<RankedScore<T>>(item.score);
      indices[at + i] = item.index;
    }
  }

  TypedMatrix<T> queries_;
  TypedMatrix<T> gallery_;
  int64_t k_;
  const Executor& executor_;
  Scorer<T> scorer_;
  bool screened_;
  std::vector<float> centre_;
};

}  // namespace

void cosine_topk(const Matrix& queries, const Matrix& gallery, int64_t k, void* scores, int64_t* indices,
                 const Executor& executor) {
  if (k > 0 && queries.rows > 0) {
    visit_vectors(gallery.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      TopK<T>(TypedMatrix<T>(queries), TypedMatrix<T>(gallery), k, executor)
          .run(static_cast<RankedScore<T>*>(scores), indices);
    });
  }
}

}  // namespace imgsim
