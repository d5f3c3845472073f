"""The training data: the breast cancer data set that scikit-learn ships (569 rows, 30 columns).

Source: W. N. Street, W. H. Wolberg, O. L. Mangasarian, UCI Machine Learning Repository, 1995,
https://doi.org/10.24432/C5DW2B. Put your own data here.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

NAME = "breast_cancer"
TARGET = "diagnosis"
TEST_SHARE = 0.25

# Fixed, so that every version is judged on rows that none of them was trained on.
SPLIT_SEED = 20240229

type Labels = np.ndarray[tuple[int], np.dtype[np.str_]]


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and rows held out.

    Attributes:
        train: features, one named column each (float64).
        train_labels: `malignant` or `benign` for each row of `train`.
        test: held-out features.
        test_labels: labels of `test`.
        sha256: of the whole data, features, labels and column names.

    """

    train: pd.DataFrame
    train_labels: Labels
    test: pd.DataFrame
    test_labels: Labels
    sha256: str


def load_dataset() -> Dataset:
    """Load the data and split it, stratified by label; the same every time."""
    bunch = load_breast_cancer(as_frame=True)
    features: pd.DataFrame = bunch.data
    labels: Labels = np.asarray(bunch.target_names)[bunch.target.to_numpy()]
    digest = hashlib.sha256()
    for part in (
        ",".join(features.columns).encode(),
        features.to_numpy(dtype="<f8").tobytes(),
        ",".join(labels).encode(),
    ):
        digest.update(part)
    train, test, train_labels, test_labels = train_test_split(
        features, labels, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=labels
    )
    return Dataset(train, train_labels, test, test_labels, digest.hexdigest())
