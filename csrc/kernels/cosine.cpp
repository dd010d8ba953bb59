#include "cosine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "screen.h"

namespace imgsim {
namespace {

constexpr int64_t kRangeBytes = 1 << 16;  // what one range of a parallel loop reads at least

// Walks row-major over the axes of a result, keeping both operands' offsets.
class Walk {
 public:
  Walk(int64_t axes, const int64_t* sizes, const int64_t* strides1, const int64_t* strides2, int64_t start)
      : axes_(axes), sizes_(sizes), strides_{strides1, strides2}, index_(static_cast<size_t>(axes)) {
    for (int64_t axis = axes - 1; axis >= 0; --axis) {
      index_[static_cast<size_t>(axis)] = start % sizes[axis];
      start /= sizes[axis];
      offset[0] += index_[static_cast<size_t>(axis)] * strides1[axis];
      offset[1] += index_[static_cast<size_t>(axis)] * strides2[axis];
    }
  }

  void next() {
    for (int64_t axis = axes_ - 1; axis >= 0; --axis) {
      int64_t& i = index_[static_cast<size_t>(axis)];
      const int64_t step = ++i < sizes_[axis] ? 1 : 1 - sizes_[axis];
      offset[0] += step * strides_[0][axis];
      offset[1] += step * strides_[1][axis];
      if (step == 1) {
        return;
      }
      i = 0;
    }
  }

  int64_t offset[2] = {0, 0};

 private:
  int64_t axes_;
  const int64_t* sizes_;
  const int64_t* strides_[2];
  std::vector<int64_t> index_;
};

template <class T>
void cosine_range(const Vectors& x1, const Vectors& x2, T* out, int64_t axes, const int64_t* sizes, int64_t length,
                  double eps, int64_t begin, int64_t end) {
  const RowLoops<T>& loop = loops().rows<T>();
  const T* data[2] = {static_cast<const T*>(x1.data), static_cast<const T*>(x2.data)};
  // The operand that stands still along the last axis is widened, and its norm taken, only when it changes.
  const int held = axes > 0 && x2.strides[axes - 1] == 0 ? 1 : 0;
  Walk walk(axes, sizes, x1.strides, x2.strides, begin);
  std::vector<double> wide(static_cast<size_t>(length));
  const T* current = nullptr;
  double norm = 0;
  for (int64_t i = begin; i < end; ++i, walk.next()) {
    const T* a = data[held] + walk.offset[held];
    if (a != current || length == 0) {
      loop.widen(a, length, wide.data());
      norm = std::sqrt(loop.sum_squares(a, length, 0.0));
      current = a;
    }
    double dot = 0;
    double squares = 0;
    loop.dot_and_squares(wide.data(), data[1 - held] + walk.offset[1 - held], length, &dot, &squares);
    const double score = cosine_of(dot, norm, std::sqrt(squares), eps);
    loop.narrow(&score, 1, out + i);
  }
}

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

// Best k of a panel of queries among the rows one slot has seen.
struct SlotState {
  std::vector<Best> best;
  SketchedRows sketched;
  Panel panel;
  std::vector<Survivor> survivors;
};

class TopK {
 public:
  TopK(const Matrix& queries, const Matrix& gallery, int64_t k, const Executor& executor)
      : queries_(queries), gallery_(gallery), k_(k), executor_(executor), scorer_(gallery, kCosineEps) {
    screened_ = queries.rows > kDirectQueries && can_screen(gallery.dim);
    if (screened_) {
      centre_ = choose_centre(gallery);
    }
  }

  void run(void* scores, int64_t* indices) {
    for (int64_t first = 0; first < queries_.rows; first += kPanelQueries) {
      const int64_t count = std::min(kPanelQueries, queries_.rows - first);
      run_panel(first, count, scores, indices);
    }
  }

 private:
  void run_panel(int64_t first, int64_t count, void* scores, int64_t* indices) {
    const int64_t dim = gallery_.dim;
    const Scorer query_scorer(queries_, kCosineEps);
    std::vector<double> wide(static_cast<size_t>(count * dim));
    std::vector<double> norms(static_cast<size_t>(count));
    for (int64_t q = 0; q < count; ++q) {
      query_scorer.widen(first + q, wide.data() + q * dim);
      norms[static_cast<size_t>(q)] = query_scorer.norm(first + q);
    }
    SketchedRows sketched_queries(screened_ ? count : 0, dim);
    if (screened_) {
      sketched_queries.fill(queries_, centre_, first, count);
    }

    const int64_t blocks = (gallery_.rows + kBlockRows - 1) / kBlockRows;
    const int64_t slots = std::clamp<int64_t>(executor_.threads(), 1, std::max<int64_t>(1, blocks));
    std::vector<std::vector<Best>> best(static_cast<size_t>(slots));
    std::atomic<int64_t> next{0};
    executor_.parallel_for(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        std::vector<Best>& mine = best[static_cast<size_t>(slot)];
        mine.reserve(static_cast<size_t>(count));
        for (int64_t q = 0; q < count; ++q) {
          mine.emplace_back(k_);  // a copy would not keep the room that was reserved
        }
        if (screened_) {
          screened_slot(sketched_queries, wide, norms, blocks, next, mine);
        } else {
          direct_slot(wide, norms, blocks, next, mine);
        }
      }
    });
    for (int64_t q = 0; q < count; ++q) {
      write(best, static_cast<size_t>(q), (first + q) * k_, scores, indices);
    }
  }

  void direct_slot(const std::vector<double>& wide, const std::vector<double>& norms, int64_t blocks,
                   std::atomic<int64_t>& next, std::vector<Best>& best) const {
    for (int64_t block = next.fetch_add(1); block < blocks; block = next.fetch_add(1)) {
      const int64_t end = std::min(gallery_.rows, (block + 1) * kBlockRows);
      for (int64_t row = block * kBlockRows; row < end; ++row) {
        for (size_t q = 0; q < best.size(); ++q) {
          const double* query = wide.data() + static_cast<int64_t>(q) * gallery_.dim;
          best[q].offer({scorer_.score(query, norms[q], row), row});
        }
      }
    }
  }

  void screened_slot(const SketchedRows& sketched_queries, const std::vector<double>& wide,
                     const std::vector<double>& norms, int64_t blocks, std::atomic<int64_t>& next,
                     std::vector<Best>& best) const {
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
          best[q].offer({scorer_.score(wide.data() + pair.lane * gallery_.dim, norms[q], row), row});
          panel.thresholds()[q] = float_not_above(best[q].threshold());
        }
      }
    }
  }

  void write(const std::vector<std::vector<Best>>& slots, size_t query, int64_t at, void* scores,
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
      if (gallery_.dtype == DType::kFloat64) {
        static_cast<double*>(scores)[at + i] = item.score;
      } else {
        static_cast<float*>(scores)[at + i] = static_cast<float>(item.score);
      }
      indices[at + i] = item.index;
    }
  }

  const Matrix& queries_;
  const Matrix& gallery_;
  int64_t k_;
  const Executor& executor_;
  Scorer scorer_;
  bool screened_;
  std::vector<float> centre_;
};

constexpr int64_t kPairPanel = 128;

struct Found {
  int64_t row;
  int64_t col;
  double score;
};

// Pairs of panel rows [first, first + count) with every later row, ordered by row, then column.
class PairPanel {
 public:
  PairPanel(const Matrix& vectors, double threshold, const SketchedRows* sketched, const std::vector<float>& centre)
      : vectors_(vectors), threshold_(threshold), sketched_(sketched), centre_(centre), scorer_(vectors, kCosineEps) {
    if (sketched_ != nullptr) {
      panel_ = std::make_unique<Panel>(kPairPanel, sketched_->dim4());
      survivors_.resize(static_cast<size_t>(kBlockRows * kPairPanel));
    }
  }

  std::vector<Found> run(int64_t first, int64_t count) {
    std::vector<Found> found;
    wide_.resize(static_cast<size_t>(count * vectors_.dim));
    norms_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      scorer_.widen(first + i, wide_.data() + i * vectors_.dim);
      norms_[static_cast<size_t>(i)] = scorer_.norm(first + i);
    }
    if (sketched_ != nullptr) {
      panel_->fill(*sketched_, centre_, first, count, float_not_above(threshold_));
    }
    for (int64_t start = first; start < vectors_.rows; start += kBlockRows) {
      const int64_t rows = std::min(kBlockRows, vectors_.rows - start);
      if (sketched_ != nullptr) {
        const int64_t kept = loops().screening.screen(sketched_->codes(start), sketched_->sketches(start), rows,
                                                      sketched_->dim4(), panel_->view(), survivors_.data());
        for (int64_t i = 0; i < kept; ++i) {
          const Survivor& pair = survivors_[static_cast<size_t>(i)];
          consider(first, pair.lane, start + pair.row, found);
        }
      } else {
        for (int64_t row = start; row < start + rows; ++row) {
          for (int64_t lane = 0; lane < count; ++lane) {
            consider(first, lane, row, found);
          }
        }
      }
    }
    std::sort(found.begin(), found.end(),
              [](const Found& a, const Found& b) { return a.row != b.row ? a.row < b.row : a.col < b.col; });
    return found;
  }

 private:
  void consider(int64_t first, int64_t lane, int64_t other, std::vector<Found>& found) const {
    if (first + lane >= other) {
      return;
    }
    const double score = scorer_.score(wide_.data() + lane * vectors_.dim, norms_[static_cast<size_t>(lane)], other);
    if (score >= threshold_) {
      found.push_back({first + lane, other, score});
    }
  }

  const Matrix& vectors_;
  double threshold_;
  const SketchedRows* sketched_;
  const std::vector<float>& centre_;
  Scorer scorer_;
  std::unique_ptr<Panel> panel_;
  std::vector<Survivor> survivors_;
  std::vector<double> wide_;
  std::vector<double> norms_;
};

}  // namespace

void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, const Executor& executor) {
  const int64_t total = std::accumulate(sizes, sizes + axes, int64_t{1}, std::multiplies<>());
  const int64_t vector_bytes = std::max<int64_t>(1, length * static_cast<int64_t>(size_of(dtype)));
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    executor.parallel_for(total, 1 + kRangeBytes / vector_bytes, [&](int64_t begin, int64_t end) {
      cosine_range<T>(x1, x2, static_cast<T*>(out), axes, sizes, length, eps, begin, end);
    });
  });
}

void cosine_topk(const Matrix& queries, const Matrix& gallery, int64_t k, void* scores, int64_t* indices,
                 const Executor& executor) {
  if (k > 0 && queries.rows > 0) {
    TopK(queries, gallery, k, executor).run(scores, indices);
  }
}

Pairs cosine_pairs(const Matrix& vectors, double threshold, const Executor& executor) {
  const int64_t panels = (vectors.rows + kPairPanel - 1) / kPairPanel;
  const bool screened = can_screen(vectors.dim);
  std::vector<float> centre;
  SketchedRows sketched(screened ? vectors.rows : 0, vectors.dim);
  if (screened) {
    centre = choose_centre(vectors);
    executor.parallel_for(vectors.rows, kBlockRows, [&](int64_t begin, int64_t end) {
      sketched.fill(vectors, centre, begin, end - begin, begin);
    });
  }
  std::vector<std::vector<Found>> found(static_cast<size_t>(panels));
  const int64_t slots = std::clamp<int64_t>(executor.threads(), 1, std::max<int64_t>(1, panels));
  std::vector<std::unique_ptr<PairPanel>> workers(static_cast<size_t>(slots));
  run_tasks(executor, slots, panels, [&](int64_t slot, int64_t task) {
    std::unique_ptr<PairPanel>& worker = workers[static_cast<size_t>(slot)];
    if (!worker) {
      worker = std::make_unique<PairPanel>(vectors, threshold, screened ? &sketched : nullptr, centre);
    }
    const int64_t first = task * kPairPanel;
    found[static_cast<size_t>(task)] = worker->run(first, std::min(kPairPanel, vectors.rows - first));
  });

  Pairs pairs;
  for (std::vector<Found>& panel : found) {
    for (const Found& pair : panel) {
      pairs.rows.push_back(pair.row);
      pairs.cols.push_back(pair.col);
      pairs.scores.push_back(pair.score);
    }
    std::vector<Found>().swap(panel);
  }
  return pairs;
}

}  // namespace imgsim
