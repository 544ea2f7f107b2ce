"""Records. How each result was made lies beside the results, in records, and goes where they go.

Snakemake writes down what a file was made with (settings, code, what its inputs held), and reruns a
job when that changed; but in a hidden folder, and a file of which it knows nothing counts as made.
Here such a file is made again; `snakemake --touch` vouches for files that are known to be right.
"""

from snakemake.persistence import ParamsChange, PersistenceBase
from snakemake.persistence.file import FilePersistence

UNKNOWN = "unknown: there is no record of it (snakemake --touch: keep it as it is)"

# All places of results, and of rules, where a workflow uses this one several times.
FilePersistence.places_of_results = {
    *getattr(FilePersistence, "places_of_results", ()),
    workflow.modifier.modify_path(workflow.pathvars.apply("<results>")) + "/",
}
PersistenceBase.places_of_rules = {
    *getattr(PersistenceBase, "places_of_rules", ()),
    str(workflow.current_basedir),
}


@mended(FilePersistence, "_record_path")
def beside(hidden_path):
    """Keep the record of a result beside the results, if none is in the hidden folder already."""

    def path(persistence, subject, file):
        hidden = hidden_path(persistence, subject, file)
        if subject != persistence._metadata_path:
            return hidden
        for results in filter(file.startswith, persistence.places_of_results):
            record = os.path.join(results, "records", file.removeprefix(results))
            if os.path.exists(record) or not os.path.exists(hidden):
                return record
        return hidden

    return path


@mended(PersistenceBase, "has_metadata")
def remade_if_unknown(has_metadata):
    """Make again what nothing is known of."""

    def known(persistence, job):
        found = has_metadata(persistence, job)
        ours = str(job.rule.basedir) in persistence.places_of_rules
        if ours and not found and any(map(os.path.exists, job.output)):
            now = set(persistence._params(job))
            change = ParamsChange({UNKNOWN}, now, set(job.output))
            persistence.dag.reason(job).params_changed = change
        return found

    return known
