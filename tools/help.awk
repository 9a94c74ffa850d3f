# Lists the targets of all makefiles that have a comment (`target: … ## what it does`), by their `##@ section`.
BEGIN {
    FS = ":.*## "
    known = split("Start here|The runbook's procedures, on the lab|The lab: the whole platform on this machine|Faults|Test|Measure|Keep", order, "|")
}
/^##@ / {
    section = substr($0, 5)
    if (!(section in lines)) lines[section] = ""
}
/^[a-z][a-z-]*:.*## / {
    gsub(/\$\$/, "$", $2)
    lines[section] = lines[section] sprintf("  make %-14s %s\n", $1, $2)
}
END {
    for (i = 1; i <= known; i++) if (order[i] in lines) {
        printf "\n%s\n%s", order[i], lines[order[i]]
        delete lines[order[i]]
    }
    for (section in lines) printf "\n%s\n%s", section, lines[section]
    print ""
}
