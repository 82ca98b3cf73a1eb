# Turns divan's tree, its branches drawn in ASCII, into lines of figure, subject, value, unit, goal: the
# fastest sample of each bench.
BEGIN {
  OFS = "\t"
  goal["heartbeat", "auscult"] = "<= 12"
  goal["level", "auscult"] = "<= 100"
  goal["is_over", "auscult"] = "<= 3"
  shown["Auscult"] = "auscult"
  shown["AuscultDecayed"] = "auscult decayed"
  shown["LoopAlone"] = "the loop alone"
  shown["FailureDetector"] = "phi-accrual-failure-detector"
  shown["PhiAccrual"] = "phi-accrual"
  shown["PhiDetector"] = "phi-detector (no window)"
  shown["SharedDetector"] = "phi-accrual-detector"
  scale["ns"] = 1; scale["us"] = 1000; scale["ms"] = 1000000
}
/^[| ]*\+- / {
  line = $0
  depth = 0
  # Each level of the tree is three columns wide.
  while (line ~ /^[| ]  /) { line = substr(line, 4); depth++ }
  line = substr(line, 4)
  split(line, cells, /\|/)
  split(cells[1], word, / +/)
  name[depth] = word[1]
  if (word[2] !~ /^[0-9.]+$/) next
  if (depth == 0) {
    gsub(/_/, " ", name[0])
    print name[0], "auscult", word[2] * scale[word[3]] / 1000, "us", "<= 1000"
  } else {
    print name[0] ", hot, window " name[2], shown[name[1]], word[2] * scale[word[3]], "ns", \
      goal[name[0], shown[name[1]]]
  }
}
in_allocations {
  split($0, cells, /\|/)
  for (i = 1; i in cells; i++) if (match(cells[i], /[0-9][0-9.]*/)) {
    print name[0] ", hot, window " name[2], shown[name[1]] " (allocations)", \
      substr(cells[i], RSTART, RLENGTH), "", "0"
    break
  }
}
{ in_allocations = /^[| ]+alloc:/ }
