"""Orders of classes: which there are, what each has right, and the best one, which other faces have chosen."""

import numpy as np
import pytest

from ferdata.labels import EMOTIONS
from zoo.evaluation.reading_check import orders

SEVEN = EMOTIONS[:7]


def test_seven_classes_have_twenty_one_exchanges():
    found = orders.exchanges(7)
    assert len({*found}) == 21
    assert all(len(orders.moved(order, SEVEN)) == 2 for order in found)


def test_known_orders_are_of_the_same_classes_and_not_the_present_one():
    assert "FER+'s order" not in orders.known(SEVEN)
    fer2013 = orders.known(SEVEN)["FER2013's order"]
    assert [SEVEN[place] for place in fer2013] == [
        *("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    ]
    assert orders.known(("anger", "happiness", "joy")) == {}


def test_an_order_reads_each_output_as_the_class_that_stands_where_it_says():
    p = np.eye(3, dtype=np.float32)
    true = np.array([0, 2, 1])
    assert orders.right(p, (0, 1, 2), true).tolist() == [True, False, False]
    assert orders.right(p, (0, 1, 2), true, (0, 2, 1)).all()


def test_outputs_of_one_class_are_added_up_and_one_of_no_class_counts_for_none():
    p = np.array([[0.3, 0.3, 0.4], [0.1, 0.1, 0.8]], np.float32)
    assert orders.right(p, (0, 0, 1), np.array([0, 1])).all()
    assert orders.right(p, (0, 1, -1), np.array([0, 0])).all()


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 1, 2), (1, 0, 3, 2)])
def test_the_best_order_of_one_half_is_right_on_the_other(order):
    true = np.arange(400) % 4
    said = np.array([order.index(name) for name in true])  # the output that stands for the class
    p = np.eye(4, dtype=np.float32)[said]
    assert orders.best(p, (0, 1, 2, 3), true) == order
    assert orders.best_elsewhere(p, (0, 1, 2, 3), true, np.arange(400), seed=0).all()


def test_the_best_order_of_noise_is_no_better_on_the_other_half():
    """Chosen on the same faces it would look better, and be accused."""
    random = np.random.default_rng(1)
    p, true = random.random((400, 8)).astype(np.float32), random.integers(0, 8, 400)
    names = tuple(range(8))
    same = orders.right(p, names, true, orders.best(p, names, true)).mean()
    other = orders.best_elsewhere(p, names, true, np.arange(400), seed=0).mean()
    assert same > 1 / 8 + 0.04
    assert other < 1 / 8 + 0.04


def test_a_class_without_faces_stays_where_it_is():
    true = np.arange(40) % 2
    p = np.eye(4, dtype=np.float32)[true]
    assert orders.best(p, (0, 1, 2, 3), true) == (0, 1, 2, 3)
    assert orders.best(p, (0, 1, -1, 2), true) == (0, 1, 2, 3)
