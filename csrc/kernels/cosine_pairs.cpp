#include <algorithm>
#include <memory>
#include <vector>

#include "cosine.h"
#include "screen.h"

namespace imgsim {
namespace {

constexpr int64_t kBlockRows = 128;
constexpr int64_t kPairPanel = 128;

struct Found {
  int64_t row;
  int64_t col;
  double score;
};

// Pairs of panel rows [first, first + count) with every later row, ordered by row, then column.
template <class T>
class PairPanel {
 public:
  PairPanel(const TypedMatrix<T>& vectors, double threshold, const SketchedRows* sketched,
            const std::vector<float>& centre)
      : vectors_(vectors), threshold_(threshold), sketched_(sketched), centre_(centre), scorer_(vectors, kCosineEps) {
    if (sketched_ != nullptr) {
      panel_ = std::make_unique<Panel>(kPairPanel, sketched_->dim4());
      survivors_.resize(static_cast<size_t>(kBlockRows * kPairPanel));
    }
  }

  std::vector<Found> run(int64_t first, int64_t count) {
    std::vector<Found> found;
    queries_.fill(vectors_, first, count);
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
    const double score = scorer_.score(queries_[lane], other);
    if (score >= threshold_) {
      found.push_back({first + lane, other, score});
    }
  }

  const TypedMatrix<T>& vectors_;
  double threshold_;
  const SketchedRows* sketched_;
  const std::vector<float>& centre_;
  Scorer<T> scorer_;
  std::unique_ptr<Panel> panel_;
  std::vector<Survivor> survivors_;
  Queries<T> queries_;
};

template <class T>
Pairs pairs_of(const TypedMatrix<T>& vectors, double threshold, const Executor& executor) {
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
  std::vector<std::unique_ptr<PairPanel<T>>> workers(static_cast<size_t>(slots));
  run_tasks(executor, slots, panels, [&](int64_t slot, int64_t task) {
    std::unique_ptr<PairPanel<T>>& worker = workers[static_cast<size_t>(slot)];
    if (!worker) {
      worker = std::make_unique<PairPanel<T>>(vectors, threshold, screened ? &sketched : nullptr, centre);
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

}  // namespace

Pairs cosine_pairs(const Matrix& vectors, double threshold, const Executor& executor) {
  return visit_vectors(vectors.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return pairs_of(TypedMatrix<T>(vectors), threshold, executor);
  });
}

}  // namespace imgsim
