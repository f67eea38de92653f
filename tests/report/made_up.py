"""A study whose networks were never trained: made-up accuracies, histories and splits, for reports."""

from tests.results.support import metrics
from tests.support import DEFAULT
from transferability.figures.style import figure_style
from transferability.files import write_csv, write_json
from transferability.report.so_far import current_networks, drawn_so_far
from transferability.report.study_page import ReportFiles, page_of, report
from transferability.study.design import read_study
from transferability.study.layout import NetworkFiles
from transferability.training.learner import HISTORY_COLUMNS

TOP1 = {"base": 0.8, "selffer": 0.79, "transfer": 0.7, "random": 0.4, "selffer+": 0.82, "transfer+": 0.83}


class MadeUp:
    """The files of a study whose networks were never trained."""

    def __init__(self, folder, **changes):
        self.config = DEFAULT | {"results": str(folder), "networks": DEFAULT["networks"] | {"depths": [1, 7]}} | changes
        self.study = read_study(self.config)
        self.folder = self.study.folder
        self.metrics = {
            (split, seed, network.name): self.folder / f"networks/{split}/seed{seed}/{network.name}.metrics.json"
            for split, seed, network in self.study.networks()
        }
        for split, seed, network in self.study.networks():
            self.write(split, seed, network, TOP1[network.treatment] - 0.01 * network.n)
        for split in self.study.splits:
            split_type = "random" if split.startswith("random") else "semantic"
            classes = [{"index": i, "name": f"class <{i}>", "group": "letter"} for i in range(2)]
            half = {"training_images": 1234, "validation_images": 50, "class_count": 2, "classes": classes}
            content = {"split": split, "split_type": split_type, "halves": {"A": half, "B": half}}
            write_json(self.folder / "splits" / f"{split}.json", content)

    def write(self, split, seed, network, top1, **made_from):
        path = self.metrics[split, seed, network.name]
        made_by = {
            "versions": {"torch": "2.14.1", "numpy": "2.4.6", "python": "3.11.7"},
            "commit": None,
            "device": "cpu (made up)",
            "threads": 1,
            "deterministic": True,
            "seconds": 36.0,
            "made_from": self.made_from(network) | made_from,
        }
        guessing = {"classes": 32, "validation_images": 1600, "majority_baseline": 1 / 32}
        write_json(path, metrics(network.name, top1, split, seed, **made_by, **guessing))
        history = NetworkFiles.beside(path.with_name(f"{network.name}.safetensors")).history
        write_csv(history, HISTORY_COLUMNS, [(10, 0.1, 1.0, 1.0, top1, top1)])

    def made_from(self, network):
        return {
            "data_set": self.config["dataset"],
            **self.study.settings(network.stage).to_json(),
        }

    def networks(self):
        return current_networks(self.study, self.metrics)

    def files(self):
        with figure_style():
            made = drawn_so_far(self.study, self.networks(), self.metrics, self.folder / "so_far")
        return ReportFiles(
            **made,
            contact_sheets={},
            halves={},
            splits={split: self.folder / "splits" / f"{split}.json" for split in self.study.splits},
            benchmarks=self.folder / "benchmarks",
        )

    def page(self):
        return page_of(self.study, self.files(), self.networks())

    def html(self, status=""):
        return report(self.study, self.files(), self.networks(), status)
