# From the store's classes to halves.


rule split:
    input:
        store=rules.store.output,
        groups=ancient(groups_file()),  # it has readable names too; what of it shapes the split is a parameter
    output:
        split=SPLIT,
    log:
        f"{LOGS}/splits/{{split}}.log",
    priority: 3
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **groups_params(),
        seed=lambda wildcards: STUDY.splits[wildcards.split].seed,
        groups=lambda wildcards: STUDY.splits[wildcards.split].groups,
        grouping=grouping_of_split,
    script:
        "../scripts/make_split.py"


rule halves_sheet:
    input:
        store=rules.store.output,
        split=rules.split.output.split,
        groups=groups_file(),
    output:
        picture=report(
            f"{FIGURES}/halves/{{split}}.png",
            caption="../report/halves.rst",
            category="Data",
            labels={"figure": "halves", "split": "{split}"},
        ),
    log:
        f"{LOGS}/halves/{{split}}.log",
    priority: 3
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/halves_sheet.py"


rule image_list:
    input:
        store=rules.store.output,
        split=rules.split.output.split,
        groups=groups_file(),
    output:
        training=f"{IMAGE_LIST}_training.txt",
        validation=f"{IMAGE_LIST}_validation.txt",
        classes=f"{IMAGE_LIST}_classes.txt",
    log:
        f"{LOGS}/image_lists/{{split}}_{{target}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/list_images.py"


rule image_lists:
    input:
        lists=[
            rules.image_list.output.training.format(split=split, target=target)
            for split in STUDY.splits
            for target in targets_of(split)
        ],
    localrule: True
