import numpy as np


def unlike_threshold(vectors, views, rate, seed=0):
    rng = np.random.default_rng(seed)
    n = len(vectors) // views
    v = vectors.reshape(n, views, -1).astype(np.float32)
    v /= np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
    s = np.full((n, n), -1.0, np.float32)
    for a in range(views):
        for b in range(views):
            s = np.maximum(s, v[:, a] @ v[:, b].T)
    s = s[np.triu_indices(n, 1)]
    return float(np.quantile(s, 1 - rate))
