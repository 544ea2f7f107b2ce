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
        population=parted,
        targets=made_of("membership", "h5", distilled=False),
        like=sized_like,
        teachers=members_of_teachers,
    output:
        membership=ensure(
            "<results>/cohorts/{cohort}/membership/{block}.h5", non_empty=True
        ),
    log:
        "<logs>/draw_membership/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/draw_membership/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.trained(STUDY)),
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


rule accept_members:
    input:
        roles=rules.assign_roles.output.roles,
        population=population_of,
        members=lookup("cohorts/{cohort}/members", within=STUDY),
        nonmembers=lookup("cohorts/{cohort}/nonmembers", within=STUDY),
    output:
        membership=ensure(
            "<results>/cohorts/{cohort}/membership/{block}.h5", non_empty=True
        ),
    log:
        "<logs>/accept_members/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/accept_members/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.released(STUDY)),
    priority: 90
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(jobs.list_settings),
        content=content(users_files.list_files),
        code=digest("accept_members.py"),
    script:
        "../scripts/accept_members.py"
