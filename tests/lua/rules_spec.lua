-- Coding rules: front matter as people write it, the index, selection and the audit.
local fs = require("orrery.fs")
local harness = require("tests.cli.harness")
local rules = require("orrery.rules")

local CORPUS = "../shared/corpus/rules"

local function rule(text, path) return rules.parse(path or "rules/x.mdc", text) end

local function names(list)
  local out = {}
  for i, r in ipairs(list) do out[i] = (r.rule or r).name end
  return table.concat(out, " ")
end

local function project(files, fn)
  local dir = harness.folder(files)
  local ok, err = pcall(fn, dir)
  harness.remove(dir)
  if not ok then error(err, 0) end
end

describe("front matter of rules", function()
  it("is read with the line ends of other systems, and with a byte order mark", function()
    local r = rule("\239\187\191---\r\ndescription: Use it\r\nglobs: *.ts,*.tsx\r\n---\r\n# Title\r\n")
    assert.are.equal("Use it", r.description)
    assert.are.same({ "**/*.ts", "**/*.tsx" }, r.globs)
    assert.are.equal("Title", r.title)
  end)

  it("needs no YAML quotes: stars, colons and hashes are text", function()
    local r = rule("---\ndescription: Go: always # really\nglobs: *\n---\n")
    assert.are.equal("Go: always # really", r.description)
    assert.are.same({ "**/*" }, r.globs)
  end)

  it("takes globs as a list, over several lines, quoted or not, with braces and bars", function()
    assert.are.same({ "**/*.rb", "config/**/*.yml" },
      rule('---\nglobs:\n  [\n    "*.rb",\n    "config/**/*.yml",\n  ]\n---\n').globs)
    assert.are.same({ "a/**", "**/*.py" }, rule("---\nglobs:\n  - a/\n  - '*.py'\n---\n").globs)
    assert.are.same({ "**/*.c", "**/*.h" }, rule('---\nglobs: "*.c, *.h"\n---\n').globs)
    assert.are.same({ "**/*.c", "**/*.h" }, rule("---\nglobs: '*.c', '*.h'\n---\n").globs)
    assert.are.same({ "**/*.{ts,tsx}", "src/*.js" },
      rule("---\nglobs: /**/*.(ts|tsx), ./src/*.js\n---\n").globs)
  end)

  it("that does not end is told, and nothing of the text is lost", function()
    local r = rule("---\ndescription: x\n# Title\n")
    assert.are.equal("Title", r.title)
    assert.truthy(r.remarks[1]:find("does not end", 1, true))
  end)

  it("knows rules that always hold", function()
    assert.is_true(rule("---\nalwaysApply: true\n---\n").always)
    assert.is_false(rule("---\nalwaysApply: false\n---\n").always)
  end)
end)

describe("technologies of rules", function()
  local function techs(text, path) return table.concat(rule(text, path).techs, " ") end

  it("are whole words: go is not in django, nor in 'go on'", function()
    assert.are.equal("django", techs("---\ndescription: django views, go on, let it go\n---\n"))
    assert.are.equal("go", techs("---\ndescription: services in Go.\n---\n"))
    assert.are.equal("go", techs("", "rules/go-backend-rules/README.md"))
    assert.are.equal("", techs("", "rules/good-egoism/cargo.md"))
  end)

  it("have many spellings", function()
    assert.are.equal("nextjs nodejs reactnative",
      techs("---\ndescription: Next.js, Node.js and React Native apps\n---\n"))
  end)

  it("are in the endings of globs, when those are of one language", function()
    assert.are.equal("python", techs("---\nglobs: **/*.py\n---\n"))
    assert.are.equal("", techs("---\nglobs: **/*.{js,ts,py,go}\n---\n"))
  end)
end)

describe("an index of rules", function()
  local files = { ["rules/go.md"] = "---\nglobs: *.go, !*_gen.go\n---\nGo on.\n",
    ["rules/always.md"] = "---\nalwaysApply: true\n---\n",
    ["rules/ts/react.mdc"] = "---\nglobs: src/**/*.{ts,tsx}\n---\n",
    ["rules/ts/notes.txt"] = "no rule" }

  it("says what a file calls for", function()
    project(files, function(dir)
      local index = rules.open(nil, { root = dir })
      assert.are.equal("always go react", names(index:all()))
      assert.are.equal("always go", names(index:for_file("cmd/main.go")))
      assert.are.equal("always", names(index:for_file("cmd/x_gen.go")))
      assert.are.equal("always react", names(index:for_file("src/a/b.tsx")))
      assert.are.equal("always", names(index:for_file("lib/b.tsx")))
    end)
  end)

  it("opens only files that changed", function()
    project(files, function(dir)
      local at = dir .. "/kept"
      local old = os.time() - 100
      for path in pairs(files) do
        os.execute(("touch -d @%d '%s/%s'"):format(old, dir, path))
      end
      assert.are.equal(3, rules.open(nil, { root = dir, keep = at }):stats().read)
      local again = rules.open(nil, { root = dir, keep = at })
      assert.are.equal(0, again:stats().read)
      assert.are.equal("always go react", names(again:all()))
      fs.write_atomic(dir .. "/rules/go.md", "---\nglobs: *.golang\n---\n")
      fs.remove(dir .. "/rules/always.md")
      fs.write_atomic(dir .. "/rules/new.md", "")
      again:refresh()
      assert.are.equal(2, again:stats().read)
      assert.are.equal("go", names(again:for_file("x.golang")))
      assert.are.equal("go new react", names(again:all()))
    end)
  end)

  it("keeps in memory what it has no file for", function()
    project(files, function(dir)
      local index = rules.open(nil, { root = dir })
      assert.are.equal(3, index:stats().read)
      index:refresh()
      assert.are.equal(0, index:stats().read)
      fs.write_atomic(dir .. "/rules/go.md", "---\nglobs: *.golang\n---\n")
      index:refresh()
      assert.are.equal(1, index:stats().read)
      assert.are.equal("always go", names(index:for_file("x.golang")))
    end)
  end)

  it("selects by manifests, with where each technology is said", function()
    project({ ["package.json"] = '{"dependencies":{"next":"15.0.0"},"devDependencies":'
      .. '{"typescript":"^5"}}', ["go.mod"] = "module x\n\nrequire (\n"
      .. "\tgithub.com/gin-gonic/gin v1.9.0\n)\n", ["requirements.txt"] = "# django\nflask>=2\n",
      ["CMakeLists.txt"] = "project(x LANGUAGES C)\n",
      ["node_modules/vue/package.json"] = '{"dependencies":{"vue":"3"}}',
      ["rules/nextjs-typescript/a.md"] = "", ["rules/vue-typescript/b.md"] = "",
      ["rules/python-django/c.md"] = "", ["rules/go-gin/d.md"] = "",
      ["rules/rust/e.md"] = "", ["rules/prose.md"] = "no technology" }, function(dir)
      local chosen, has = rules.open(nil, { root = dir }):select(dir)
      assert.are.equal("d a", names(chosen))
      assert.are.same({ "package.json: next 15.0.0" }, has.nextjs)
      assert.are.same({ "requirements.txt: flask" }, has.flask)
      assert.are.same({ "go.mod: github.com/gin-gonic/gin" }, has.gin)
      assert.truthy(has.c)
      assert.is_nil(has.django)
      assert.is_nil(has.vue)
      assert.is_nil(has.cpp)
    end)
  end)

  it("holds a corpus of real rules", function()
    if not fs.exists(CORPUS) then return pending("the corpus is not here") end
    local index = rules.open(CORPUS, { root = "." })
    assert.is_true(index:stats().rules > 200)
    for _, r in ipairs(index:for_tech("go")) do
      assert.is_nil(r.path:find("django[^/]*/[^/]*$") and not r.path:find("go[-.]") or nil)
    end
    assert.truthy(names(index:for_file("app/models/user.rb")):find("rails-basics", 1, true))
    for _, r in ipairs(index:all()) do assert.are.same({}, r.remarks) end
  end)
end)

describe("an audit", function()
  local TS = [=[
---
globs: *.ts
---
<validation>
forbidden_patterns:
  - pattern: "^const (\\w+): any"
    message: "no any"
    severity: error
    fix: "const $1: unknown"
  - pattern: "console\\.log\\([^)]*\\);?"
    message: "no logs"
    fix: ""
required_patterns:
  - pattern: "'use strict'"
    message: "be strict"
    severity: info
</validation>
]=]

  local function report(files, opts)
    local out
    project(files, function(dir)
      opts = opts or {}
      opts.root = dir
      local index = require("orrery.knowledge.rules").open(nil, { root = dir })
      if opts.kept then opts.kept = dir .. "/kept" end
      out = require("orrery.knowledge.audit").run(index, opts.files or { "a.ts" }, opts)
      out.after, out.old = harness.read(dir .. "/a.ts"), harness.read(dir .. "/kept/a.ts")
    end)
    return out
  end

  local CODE = "let x;\r\nconst a: any = 1;\nconsole.log(\n  a);\n"

  it("finds what is forbidden, over lines, and what is missing", function()
    local got = report({ ["rules/ts.md"] = TS, ["a.ts"] = CODE })
    local lines = {}
    for i, v in ipairs(got.violations_found) do
      lines[i] = ("%d:%d %s %s"):format(v.line, v.column, v.severity, v.message)
    end
    assert.are.same({ "1:1 info be strict", "2:1 error no any", "3:1 warning no logs" }, lines)
    assert.are.equal(4, got.audit_summary.total_lines)
    assert.are.equal(1, got.audit_summary.errors)
    assert.are.equal("const a: unknown", got.violations_found[2].fix_instruction)
    assert.is_true(got.compliance_score < 100)
    assert.are.equal(CODE, got.after)
  end)

  it("mends, and keeps what was", function()
    local got = report({ ["rules/ts.md"] = TS, ["a.ts"] = CODE }, { fix = true, kept = true })
    assert.are.equal("let x;\r\nconst a: unknown = 1;\n\n", got.after)
    assert.are.equal(CODE, got.old)
    assert.are.equal(0, got.audit_summary.errors)
    assert.are.equal(2, got.fixes_applied[1].fixes)
  end)

  it("says what it would mend, and touches nothing", function()
    local got = report({ ["rules/ts.md"] = TS, ["a.ts"] = CODE }, { dry = true })
    assert.are.equal(CODE, got.after)
    assert.are.equal(2, got.fixes_applied[1].fixes)
    assert.are.equal(1, got.audit_summary.errors)
  end)

  it("makes no fix that does not cure", function()
    local got = report({ ["rules/x.md"] = "---\nglobs: '*.ts'\n---\n<validation>\n"
      .. "forbidden_patterns:\n  - pattern: 'foo'\n    fix: 'food'\n</validation>\n",
      ["a.ts"] = "foo\n" }, { fix = true, kept = true })
    assert.are.equal("foo\n", got.after)
    assert.truthy(got.remarks[1].text:find("still matches", 1, true))
  end)

  it("tells a pattern that is none, with its rule, and goes on", function()
    local got = report({ ["rules/x.md"] = "---\nglobs: '*.ts'\nvalidation:\n"
      .. "  forbidden_patterns:\n    - pattern: '('\n    - pattern: 'b'\n---\n", ["a.ts"] = "b" })
    assert.are.equal("rules/x.md", got.remarks[1].file)
    assert.truthy(got.remarks[1].text:find("column", 1, true))
    assert.are.equal(1, #got.violations_found)
  end)

  it("asks of rules without globs by technology, and passes over binary files", function()
    local forbid = "<validation>\nforbidden_patterns:\n  - pattern: x\n</validation>\n"
    local got = report({ ["rules/python/a.md"] = forbid, ["rules/any.md"] = forbid,
      ["a.ts"] = "x", ["b.ts"] = "x\0" }, { files = { "a.ts", "b.ts" } })
    assert.are.equal(1, #got.violations_found)
    assert.are.equal("rules/any.md", got.violations_found[1].rule)
  end)
end)
