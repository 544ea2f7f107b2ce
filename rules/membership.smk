"""Membership. Gives every example a role, and decides which model trains on which example.

Before any model is trained, so that a design that cannot be drawn costs nothing.
"""


rule assign_roles:
    input:
        population=population_of,
    output:
        roles=ensure("<results>/cohorts/{cohort}/roles.h5", non_empty=True),
    log:
        "<logs>/assign_roles/{cohort}.log",
    benchmark:
        "<benchmarks>/assign_roles/{cohort}.tsv"
    priority: 90
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(jobs.role_settings),
        code=digest("assign_roles.py"),
    script:
        "../scripts/assign_roles.py"


rule draw_membership:
    input:
        roles=rules.assign_roles.output.roles,
        targets=made_of("membership", "h5", distilled=False),
    output:
        membership=ensure(
            "<results>/cohorts/{cohort}/membership/{block}.h5", non_empty=True
        ),
    log:
        "<logs>/draw_membership/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/draw_membership/{cohort}/{block}.tsv"
    priority: 90
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(jobs.membership_settings),
        code=digest(
            "draw_membership.py",
            "miatlas/designs/{design[name]}.py",
            of=jobs.membership_settings,
        ),
    script:
        "../scripts/draw_membership.py"
