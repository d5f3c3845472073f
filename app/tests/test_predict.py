"""Answers of /predict, and what they leave behind."""

import math
from typing import Any

import mlflow.sklearn
import pytest

from mlops_app.cache import RowHasher
from mlops_app.dataset import load_dataset
from mlops_app.row_schema import canonical
from mlops_app.secret_file import read_secret
from tests.eventually import eventually
from tests.rows import Row, fresh, held_out
from tests.running_app import RunningApp
from tests.world import World


def test_answers_as_the_registered_model_does(shared_app: RunningApp, shared_world: World) -> None:
    test = load_dataset().test
    trained = shared_world.trained
    model = mlflow.sklearn.load_model(f"models:/{trained.name}/{trained.version}")
    assert model is not None

    answer = shared_app.predict(*held_out(len(test)))

    assert answer.status_code == 200
    body = answer.json()
    assert body["predictions"] == model.predict(test).tolist()
    assert set(body["predictions"]) == {"malignant", "benign"}
    assert body["model"] == {
        "name": shared_world.settings.model_name,
        "version": "1",
        "alias": "champion",
    }
    assert body["version"] == answer.headers["x-app-version"] == "v1.2.3"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["cached"] is False


def test_integers_stand_for_floats_and_column_order_does_not_matter(shared_app: RunningApp) -> None:
    row = {name: float(round(value)) for name, value in held_out(1)[0].items()}
    as_integers = {name: int(value) for name, value in reversed(row.items())}

    first = shared_app.predict(row).json()
    eventually(lambda: shared_app.predict(as_integers).json()["cached"], "it is known to the cache")

    assert shared_app.predict(as_integers).json()["predictions"] == first["predictions"]


@pytest.mark.parametrize(
    ("change", "location", "kind"),
    [
        ({"mean radius": "12.5"}, ["body", "rows", 1, "mean radius"], "float_type"),
        ({"mean radius": True}, ["body", "rows", 1, "mean radius"], "float_type"),
        ({"mean radius": None}, ["body", "rows", 1, "mean radius"], "float_type"),
        ({"mean radius": [1.0]}, ["body", "rows", 1, "mean radius"], "float_type"),
        ({"radius": 1.0}, ["body", "rows", 1, "radius"], "extra_forbidden"),
    ],
)
def test_names_the_field_that_is_wrong(
    shared_app: RunningApp, change: dict[str, Any], location: list[str | int], kind: str
) -> None:
    good = held_out(1)[0]

    answer = shared_app.predict(good, good | change)

    assert answer.status_code == 422
    assert [(item["loc"], item["type"]) for item in answer.json()["detail"]] == [(location, kind)]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_names_a_missing_column(shared_app: RunningApp) -> None:
    row = held_out(1)[0]
    del row["worst area"]

    answer = shared_app.predict(row)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "rows", 0, "worst area"]
    assert answer.json()["detail"][0]["type"] == "missing"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_refuses_what_is_not_finite(shared_app: RunningApp, value: float) -> None:
    row = held_out(1)[0] | {"mean area": value}
    body = '{"rows":[' + str(row).replace("'", '"').replace("nan", "NaN") + "]}"
    body = body.replace("inf", "Infinity")

    answer = shared_app.client.post("/predict", content=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "rows", 0, "mean area"]
    assert answer.json()["detail"][0]["type"] == "finite_number"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("", "json_invalid"),
        ("{", "json_invalid"),
        ("[]", "model_type"),
        ("{}", "missing"),
        ('{"rows":[]}', "too_short"),
        ('{"rows":[1]}', "model_type"),
        ('{"rows":[],"row":[]}', "too_short"),
        (b"\xff\xfe", "json_invalid"),
    ],
)
def test_refuses_what_is_no_request(
    shared_app: RunningApp, content: str | bytes, kind: str
) -> None:
    answer = shared_app.client.post("/predict", content=content)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == kind


def test_keeps_a_harmless_request_id_and_replaces_any_other(shared_app: RunningApp) -> None:
    row = held_out(1)[0]

    kept = shared_app.predict(row, headers={"X-Request-ID": "client.7-a_B"})
    assert kept.json()["request_id"] == kept.headers["x-request-id"] == "client.7-a_B"
    for bad in ("a b", "x" * 129, 'q"', ""):
        replaced = shared_app.predict(row, headers={"X-Request-ID": bad})
        assert replaced.json()["request_id"] not in {bad, ""}
        assert replaced.headers["x-request-id"] == replaced.json()["request_id"]


def test_remembers_each_row(shared_app: RunningApp) -> None:
    first, second = fresh(2)
    assert shared_app.predict(first).json()["cached"] is False
    eventually(lambda: shared_app.predict(first).json()["cached"], "the row is remembered")

    assert shared_app.predict(first, second).json()["cached"] is False
    eventually(lambda: shared_app.predict(first, second).json()["cached"], "both are remembered")
    assert shared_app.metric("mlops_app_predictions_total", source="cache") >= 4


@pytest.mark.parametrize("field", ["no-cache", "No-Cache", "max-age=5, no-cache"])
def test_computes_anew_for_a_client_that_wants_no_remembered_answer(
    shared_app: RunningApp, shared_world: World, field: str
) -> None:
    row = fresh(1)[0]
    shared_app.predict(row)
    eventually(lambda: shared_app.predict(row).json()["cached"], "the row is remembered")
    (key,) = shared_world.cache.keys(f"mlops:prediction:*:{input_hash(shared_world, row)}")
    shared_world.cache.set(key, '"poisoned"', keepttl=True)
    unwanted = shared_app.metric("mlops_app_cache_requests_total", result="unwanted")
    assert shared_app.predict(row).json()["predictions"] == ["poisoned"]

    anew = shared_app.predict(row, headers={"Cache-Control": field}).json()

    assert anew["cached"] is False
    assert anew["predictions"][0] in {"malignant", "benign"}
    assert shared_app.metric("mlops_app_cache_requests_total", result="unwanted") == unwanted + 1
    eventually(
        lambda: shared_app.predict(row).json()["predictions"] == anew["predictions"],
        "the new answer is remembered in place of the old one",
    )


def test_does_not_remember_what_shall_not_be_stored(
    shared_app: RunningApp, shared_world: World
) -> None:
    stored, not_stored = fresh(2)
    for fields in ([("Cache-Control", "no-cache, no-store")], [("Cache-Control", "no-store")]):
        assert shared_app.predict(not_stored, headers=fields).json()["cached"] is False
    # The queue keeps its order: once a later row is there, an earlier one would be.
    shared_app.predict(stored)
    eventually(lambda: shared_app.predict(stored).json()["cached"], "the later row is remembered")

    assert not shared_world.cache.keys(f"mlops:prediction:*:{input_hash(shared_world, not_stored)}")
    assert shared_app.predict(stored, headers={"Cache-Control": "no-store"}).json()["cached"]


def input_hash(world: World, row: Row) -> str:
    """Return the last part of the row's key in the cache."""
    secret_key = read_secret(world.settings.secret_key_file, "").get_secret_value()
    return RowHasher(secret_key).hash(canonical(row))


def test_logs_each_prediction_to_postgres(shared_app: RunningApp, shared_world: World) -> None:
    rows = fresh(2)
    body = shared_app.predict(*rows, headers={"X-Request-ID": "logged"}).json()

    def logged() -> list[tuple[Any, ...]]:
        return shared_world.database.execute(
            "SELECT app_version, model_name, model_version, inputs, prediction, cached,"
            " latency_ms > 0, created_at <= now(), length(input_hash)"
            " FROM prediction_log WHERE request_id = 'logged'"
        ).fetchall()

    eventually(lambda: len(logged()) == 2, "both rows are logged")
    model = body["model"]
    expected = [
        ("v1.2.3", model["name"], model["version"], row, prediction, False, True, True, 32)
        for row, prediction in zip(rows, body["predictions"], strict=True)
    ]
    assert sorted(logged(), key=str) == sorted(expected, key=str)


def test_does_not_log_what_it_refused(shared_app: RunningApp, shared_world: World) -> None:
    headers = {"X-Request-ID": "refused"}
    assert shared_app.predict({"no": 1}, headers=headers).status_code == 422
    assert shared_app.predict(*held_out(1), headers={"X-Request-ID": "after"}).is_success

    def logged(request_id: str) -> int:
        found = shared_world.database.execute(
            "SELECT count(*) FROM prediction_log WHERE request_id = %s", [request_id]
        ).fetchone()
        return found[0] if found else 0

    eventually(lambda: logged("after") == 1, "the request after it is logged")
    assert logged("refused") == 0
