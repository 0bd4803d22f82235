"""The ledger: register, record, page and command say the same; a study interrupted loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from powercount.__main__ import main
from powercount.door.entry import AGREES, BAD_INPUT
from powercount.empirical.fit import Estimate
from powercount.ledger import figures
from powercount.ledger.claim import ALONE
from powercount.ledger.command import _code, measured
from powercount.ledger.figures import FIGURES, collapse
from powercount.ledger.finding import Evidence, from_estimate, judgement
from powercount.ledger.page import FOLDER, PAGE, page_text
from powercount.ledger.record import command_of, decided_by, finding_row, read_record, recorded, write_record
from powercount.ledger.register import CLAIMS
from powercount.studies.study import Study

ROOT = Path(__file__).parents[2]
VERDICTS = {"confirmed", "refuted", "conditional", "undecided"}
FEWEST = 20


def evidence(outcome, condition="relu", part="a power"):
    """A piece of evidence with that outcome."""
    return Evidence(
        part=part,
        condition=condition,
        claimed="0",
        predicted="0",
        expected=0.0,
        measured=0.0,
        low=0.0,
        high=0.0,
        outcome=outcome,
    )


@pytest.mark.parametrize("error", [0.01, 1.0])
def test_a_number_has_two_twins_and_a_vague_measurement_contradicts_neither(error):
    """The claimed number moved by its rival, down and up, is judged by the same measurement."""
    seen = Estimate(value=0.5, standard_error=error, freedom=100)
    found = from_estimate(seen, Fraction(1, 2), Fraction(1, 2), part="p", condition="c")
    sharp = error < 0.1
    assert found.outcome == ("AGREES" if sharp else "UNDECIDED")
    assert found.twins == (("CONTRADICTS",) * 2 if sharp else ("UNDECIDED",) * 2)


def test_the_record_holds_every_claim_of_the_register():
    """One row a claim, at least twenty of them decided, each with evidence, and the verdict computed from it."""
    rows = recorded()
    assert list(rows) == [claim.id for claim in CLAIMS]
    assert sum(row["verdict"] != "undecided" for row in rows.values()) >= FEWEST
    for claim in CLAIMS:
        row = rows[claim.id]
        found = [evidence(each["outcome"], each["condition"]) for each in row["evidence"]]
        assert row["verdict"] == judgement(found), claim.id
        assert row["marks"] == list(claim.marks)
        told = ("source", "summary", "statement", "conditions", "test")
        assert [row[key] for key in told] == [getattr(claim, key) for key in told], claim.id
        assert row["command"] == command_of(claim)
        assert claim.test == ALONE or (ROOT / claim.test).exists(), claim.test
        decisive = decided_by(row["evidence"], row["verdict"])
        shown = ("claimed", "predicted", "expected", "measured", "low", "high")
        assert [row[key] for key in shown] == [decisive[key] for key in shown], claim.id


def test_the_page_is_the_record():
    """docs/claims.md is what the record renders to, with every plot it shows."""
    assert (ROOT / "docs" / PAGE).read_text(encoding="utf-8") == page_text(recorded())
    assert all((ROOT / "docs" / FOLDER / name).stat().st_size > 0 for name in FIGURES)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([("AGREES", "relu"), ("AGREES", "tanh")], "confirmed"),
        ([("CONTRADICTS", "relu"), ("CONTRADICTS", "tanh")], "refuted"),
        ([("AGREES", "relu"), ("CONTRADICTS", "relu")], "refuted"),
        ([("AGREES", "relu"), ("CONTRADICTS", "tanh")], "conditional"),
        ([("AGREES", "relu"), ("UNDECIDED", "relu")], "undecided"),
        ([("CONTRADICTS", "relu"), ("UNDECIDED", "tanh")], "undecided"),
        ([], "undecided"),
    ],
)
def test_a_verdict_is_computed_condition_by_condition(outcomes, verdict):
    """Every part must hold under a condition; all conditions confirm, none refutes, some make it conditional."""
    assert judgement([evidence(outcome, condition) for outcome, condition in outcomes]) == verdict


def test_evidence_is_judged_by_its_interval():
    """A narrow interval on the claim agrees, off it contradicts, a wide one is undecided; no value contradicts."""
    tight, wide = (Estimate(value=0.0, standard_error=error, freedom=30) for error in (0.01, 0.2))

    def outcome(estimate, claimed):
        return from_estimate(estimate, claimed, 0, part="a power", condition="relu").outcome

    assert [outcome(tight, 0), outcome(tight, 1), outcome(wide, 0)] == ["AGREES", "CONTRADICTS", "UNDECIDED"]
    assert outcome(replace(tight, value=float("nan")), 0) == "CONTRADICTS"
    # A known bias of the prediction at finite size is the claim's as well.
    biased = from_estimate(replace(tight, value=0.2), 0, 0, part="a power", condition="relu", expected=0.2)
    assert biased.outcome == "AGREES"


def test_the_command_lists_and_measures(capsys, tmp_path):
    """claims lists the record without measuring; a named claim is measured and must keep its verdict."""
    assert main(["claims"]) == AGREES
    out = capsys.readouterr().out
    assert f"{len(CLAIMS)} claims" in out
    assert main(["claims", "--json"]) == AGREES
    rows = json.loads(capsys.readouterr().out)
    keys = {"id", "source", "predicted", "measured", "low", "high", "verdict", "conditions", "command"}
    assert all(keys <= set(row) and row["verdict"] in VERDICTS for row in rows)
    asked = ["claims", "c7", "--quick", "--folder", str(tmp_path / "cells"), "--record", str(tmp_path / "mine.json")]
    assert main([*asked, "--jobs", "1"]) == AGREES
    assert "C7, confirmed" in capsys.readouterr().out
    assert list(read_record(tmp_path / "mine.json")) == ["C7"]
    assert not list((tmp_path / "cells").glob("*.json"))


def test_a_verdict_that_differs_outweighs_one_no_longer_decided(capsys):
    """Exit 1 if any verdict differs from the record, whatever the order; 3 if some are only undecided now; else 0."""
    row = recorded()["C3"]
    known = {"a": row, "b": row}

    def code(*verdicts):
        return _code(known, {name: {**row, "verdict": verdict} for name, verdict in zip("ab", verdicts, strict=True)})

    assert code("confirmed", "confirmed") == AGREES
    assert code("undecided", "refuted") == code("refuted", "undecided") == 1
    assert code("undecided", "confirmed") == 3
    assert "the record says confirmed" in capsys.readouterr().err


NFD = ["nfd", "--widths", "8", "--depths", "2", "--grid", "4", "--particles", "128", "--members", "1", "--steps", "2"]
TRANSFER = ["transfer", "--depths", "2,4,8", "--width", "8", "--seeds", "2", "--steps", "2"]
BAD = {
    "unknown claim": (["claims", "C99"], "choose one of: C1"),
    "no horizon": ([*NFD, "--horizon", "0"], "must be positive"),
    "grid of one point": ([*NFD, "--grid", "1"], "a grid of one point"),
    "too many particles": ([*NFD, "--particles", "4000000000"], "choose a smaller width"),
    "too few particles": ([*NFD, "--particles", "8"], "use more particles"),
    "networks too wide": ([*NFD, "--widths", "4000000"], "choose a smaller width"),
    "no widths": ([*NFD, "--widths", "a,b"], "such as 4,16,64"),
    "a width of 0": ([*NFD, "--widths", "0"], "at least 1"),
    "no figure": ([*NFD, "--plot", "figure.doc"], "must end with one of"),
    "no folder": ([*NFD, "--plot", "nowhere/figure.png"], "there is no folder"),
    "unknown activation": ([*NFD, "--activation", "no"], "choose one of: linear"),
    "two depths": ([*TRANSFER, "--depths", "2,4"], "at least 3"),
    "no width": ([*TRANSFER, "--width", "0"], "at least 1"),
    "one seed": ([*TRANSFER, "--seeds", "1"], "at least 2"),
    "a stream that grows": ([*TRANSFER, "--recipes", "mup"], "saturates as the stream grows"),
    "no transfer figure": ([*TRANSFER, "--plot", "figure.doc"], "must end with one of"),
    "unknown mode": ([*TRANSFER, "--modes", "none"], "choose one of"),
    "unknown recipe": ([*TRANSFER, "--recipes", "none"], "choose one of"),
    "too wide": ([*TRANSFER, "--width", "4000000"], "choose"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_with_a_remedy_and_exit_2(name, capsys):
    """No traceback, nothing on standard output, nothing trained."""
    arguments, remedy = BAD[name]
    code = main(arguments)
    captured = capsys.readouterr()
    assert (code, captured.out) == (BAD_INPUT, "")
    assert remedy in captured.err
    assert captured.err.count("\n") == 1


def test_nfd_compares_networks_with_both_limits(capsys, tmp_path):
    """A table, JSON and a figure; linear blocks come with the exact solution."""
    asked = [*NFD, "--activation", "linear", "--folder", str(tmp_path)]
    assert main([*asked, "--plot", str(tmp_path / "figure.png")]) == AGREES
    assert "R = S = 0" in capsys.readouterr().out
    assert (tmp_path / "figure.png").stat().st_size > 0
    assert main([*asked, "--json"]) == AGREES
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["runs"]][-1] == "exact"
    assert {"name", "full", "decoupled"} == set(found["gaps"][0])


def test_an_interrupt_loses_nothing(tmp_path):
    """Ctrl-C exits 130 and says so; the same command goes on from the cells that are there."""
    # A job started in the background of a shell ignores SIGINT, and so would its children.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start = f"{heard}; from powercount.__main__ import run; run()"
    command = [sys.executable, "-c", start, *NFD, "--particles", "2048", "--grid", "16", "--steps", "4"]
    command += ["--widths", "8,512,1024", "--folder", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(3000):
            if list(tmp_path.glob("*.json")):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert list(tmp_path.glob("*.json"))
    assert subprocess.run(command, check=False, capture_output=True).returncode == AGREES


def test_a_record_that_cannot_be_read_is_refused(tmp_path):
    """Rows of other claims stay; a broken record is not written over."""
    path = tmp_path / "record.json"
    row = finding_row(next(claim for claim in CLAIMS if claim.id == "C7"), Study(quick=True))
    write_record(path, {"C7": row}, ["C7"])
    write_record(path, {}, ["C7"])
    assert list(read_record(path)) == ["C7"]
    path.write_text("no record")
    asked = ["claims", "C7", "--quick", "--jobs", "1", "--record", str(path), "--folder", str(tmp_path / "cells")]
    assert main(asked) == BAD_INPUT
    assert path.read_text() == "no record"


@pytest.mark.parametrize("jobs", [1, 2])
def test_plots_are_drawn_beside_the_claims_from_the_same_cells(tmp_path, monkeypatch, jobs):
    """A plot is one more thing that asks for cells: by workers, and each cell is computed once."""

    def draw(study, path):
        path.write_text(f"mean {study.cell('mean', 'statistics:mean', data=[1, 3])}")

    (tmp_path / FOLDER).mkdir()
    monkeypatch.setattr(figures, "DRAWN", dict.fromkeys(FIGURES, draw))
    claims = [claim for claim in CLAIMS if claim.id == "C7"]
    study = Study(quick=True, folder=tmp_path / "cells")
    assert list(measured(claims, study, jobs, page=tmp_path)) == ["C7"]
    assert {(tmp_path / FOLDER / name).read_text() for name in FIGURES} == {"mean 2"}
    assert len(list((tmp_path / "cells").iterdir())) == 1


def test_every_plot_has_a_caption_and_is_drawn():
    """Captions are read without what draws; both name the same plots."""
    assert list(figures.DRAWN) == list(FIGURES)


def test_the_collapse_is_drawn_from_real_steps():
    """The page's figure of the collapse measures what it draws: own updates and whole change after a real step."""
    found = collapse(Study(quick=True), ["depth-mup"], [1], (4, 8, 16))["depth-mup", 1]
    assert set(found) == {"own-update:1", "own-update:2", "total-update:1"}
    assert all(len(points) == 3 and min(points) > 0 for points in found.values())
    assert found["own-update:1"] == sorted(found["own-update:1"], reverse=True)
