# make demo     the whole chain on the drawn playground, from videos to a report (about a quarter of an hour)
# make videos DIR=...    detected people and actions of any folder of videos: a page, annotated videos, csv and json
#                        (BOXES=FILE.csv: person boxes of your own; EVERY=0.5: seconds between keyframes; CONFIG=...: other weights)
# make status   how far the newest run here is: jobs by rule, time left, what runs now
# make test     format, lint, types, and all fast tests
# make test-slow    faults, and a real Slurm of two nodes on this machine (installed by apt-get where that may be done; half an hour)
# make test-slurm   the latter alone
# make faults   the tests of every fault that a run may meet, kills in every stage and a real Slurm among them. Writes docs/reliability.md (about 45 minutes)
# make leak-study    does a person's own box betray a label it must not? Writes docs/leak-study.md (some minutes)
# make relation-study    do relations and memory do what they claim? Writes docs/relation-study.md (about an hour; QUICK=1: a few minutes)
# make bench-extract    clips/s of each way to run the backbone, against plain torch. Writes docs/bench-extract.md (some minutes)
# make bench-bank    how fast memory windows are read from a bank on disk. Writes docs/bench-bank.md (about a minute)
# make bench-evaluate    time and memory of scoring 3 and 10 million csv rows. Writes docs/bench-evaluate.md (some minutes)
# make bench-read    time and memory of reading annotation files of ten million rows. Writes docs/bench-read.md (some minutes, 1 GB)
# make bench-ensemble    time and memory of an ensemble of 20 members with six views. Writes docs/bench-ensemble.md (a quarter of an hour, 5 GB)
# make bench-decode    frames/s of decode against an ffmpeg program on PATH, and its cache on disk. Writes docs/bench-decode.md (some minutes)
# make scale-study    what AVA-Kinetics costs at 1, 10 and 1,000 times its size, in model time. Writes the tables of docs/scale.md (some minutes)
# make soak    random kills for ten minutes; the same bytes must come out. Writes docs/soak.md
# They make the environment in .venv first, once; it needs Linux, Python 3.11 to 3.13, git and make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BENCHES := bench-extract bench-bank bench-evaluate bench-read bench-ensemble bench-decode
.PHONY: help demo videos status soak faults test test-slow test-slurm check pytest leak-study relation-study scale-study $(BENCHES) environment clean-results
.DELETE_ON_ERROR:

# PYTHON=... chooses the interpreter; else the first of these that is new enough and not too new.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

# The environment is made anew exactly when the content of the lock file changes: its digest is part of the stamp's name.
LOCK := requirements.lock
STAMP := .venv/installed-$(shell sha256sum $(LOCK) | cut -c1-16)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1

RUN := results/playground

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

environment: $(STAMP)

$(STAMP):
	@found=; \
	for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c '$(FITS)' 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "acarflow needs Python 3.11, 3.12 or 3.13; tried: $(CANDIDATES). Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	  exit 2; \
	fi; \
	echo "Making the environment in .venv with $$("$$found" --version) (once, a few minutes)"; \
	rm -rf .venv; \
	"$$found" -m venv .venv || { echo "Python's venv does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }; \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -r $(LOCK); \
	.venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || true; \
	touch $@

demo: $(STAMP)
	@snakemake --cores all --configfile configs/playground.yaml
	@echo
	@echo "Report: $(RUN)/report/report.html"
	@if [ -f $(RUN)/report/table.txt ]; then cat $(RUN)/report/table.txt; fi

# What is given goes through the environment and, as quoted yaml, to snakemake: any name of a folder will do. The spaces around
# the quotes keep snakemake from taking them off itself, after which doubled ones inside would stay.
CONFIG ?= configs/own-videos.yaml
export DIR BOXES EVERY
videos: $(STAMP)
	@if [ -z "$$DIR" ]; then echo "Say which folder: make videos DIR=/path/to/my/videos" >&2; exit 2; fi; \
	q="'"; words=("videos= $$q$${DIR//$$q/$$q$$q}$$q "); \
	if [ -n "$$BOXES" ]; then words+=("boxes= $$q$${BOXES//$$q/$$q$$q}$$q "); fi; \
	if [ -n "$$EVERY" ]; then words+=("every=$$EVERY"); fi; \
	snakemake --cores all --configfile "$(CONFIG)" --config "$${words[@]}"
	@echo
	@echo "Page: results/own-videos/annotate/own/index.html"

status: $(STAMP)
	@python -m stages.inspect status

test: check pytest

check: $(STAMP)
	ruff format --check .
	ruff check .
	mypy
	snakefmt --check Snakefile workflow
	snakemake --lint

# Two workers, and one thread in each of them and in what they start: more would only wait for each other.
pytest: $(STAMP)
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile -m "not long"

test-slow test-slurm: $(STAMP)
	python -m tests.slurm.cluster install
	OMP_NUM_THREADS=1 pytest -m long --durations 10 $(if $(filter test-slurm,$@),tests/slurm)

# The page is written when tests fail, too, and says so.
faults: $(STAMP)
	python -m tests.slurm.cluster install
	OMP_NUM_THREADS=1 pytest -m fault --junitxml .faults.xml || true
	python -m tests.faults.table .faults.xml
	rm -f .faults.xml

leak-study: $(STAMP)
	python -m tests.studies.leak_study

relation-study: $(STAMP)
	python -m tests.studies.relation_study $(if $(QUICK),--quick)

scale-study: $(STAMP)
	python -m tests.studies.scale_study

soak: $(STAMP)
	python -m tests.studies.soak

$(BENCHES): bench-%: $(STAMP)
	python -m tests.benches.bench_$* --out docs/bench-$*.md

clean-results:
	rm -rf results logs benchmarks .snakemake
