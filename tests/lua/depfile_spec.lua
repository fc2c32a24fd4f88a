-- Dep files of gcc and clang.
local depfile = require("orrery.run.keys.depfile")

local function gives(want, text) assert.same(want, depfile.parse(text)) end

describe("a dep file", function()
  it("goes on after a backslash at the end of a line, also with CRLF", function()
    gives({ "a.c", "b.h", "c.h" }, "a.o: a.c \\\n  b.h \\\n c.h\n")
    gives({ "a.c", "b.h" }, "a.o: a.c \\\r\n b.h\r\n")
    gives({ "a.c", "b.h" }, "a.o: a.c\\\n b.h")
  end)

  it("escapes blanks, '#' and '$', and doubles backslashes before them", function()
    gives({ "my file.c", "x#1.h", "p$q.h" }, [[a.o: my\ file.c x\#1.h p$$q.h]])
    gives({ [[dir\]], "next.h" }, [[a.o: dir\\ next.h]])
    gives({ [[dir\ x.h]] }, [[a.o: dir\\\ x.h]])
    gives({ [[src\main.c]] }, [[a.o: src\main.c]])
  end)

  it("may have several targets, and paths with a colon", function()
    gives({ "a.c" }, "a.o a.d: a.c")
    gives({ "C:/x/a.c", "b.h" }, "C:/x/a.o: C:/x/a.c b.h")
    gives({ "a.c" }, "a.o : a.c")
  end)

  it("may have rules of headers that have none of their own (-MP)", function()
    gives({ "a.c", "b.h", "c.h" }, "a.o: a.c b.h c.h\n\nb.h:\n\nc.h:\n")
  end)

  it("may have several rules, repeats and nothing at all", function()
    gives({ "a.c", "b.h", "c.h" }, "a.o: a.c b.h\nb.o: b.h c.h\n")
    gives({}, "")
    gives({}, "a.o:\n")
    gives({}, "# only words: here\n")
    gives({}, "no rule")
  end)
end)
