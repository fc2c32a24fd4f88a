-- The official JSON Schema Test Suite. Debian has drafts 4, 6 and 7 in json-schema-test-suite;
-- libtest-json-schema-acceptance-perl carries a newer copy, with 2019-09 and 2020-12, of which
-- scripts/packages takes the data without the Perl it is for. A
-- checkout of the suite may be named in JSON_SCHEMA_TEST_SUITE.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local schema = require("orrery.knowledge.schema")

local drafts = { ["draft4"] = "4", ["draft6"] = "6", ["draft7"] = "7",
  ["draft2019-09"] = "2019-09", ["draft2020-12"] = "2020-12" }

-- What is optional and not done, with the number of cases that come out otherwise: content…
-- is a note here, and internationalised names are checked in outline only.
local debian = { ["draft7/optional/content.json"] = 4 }
local newer = {
  ["draft7/optional/content.json"] = 4,
  ["draft7/optional/format/idn-hostname.json"] = 20,
  ["draft2019-09/optional/format/idn-hostname.json"] = 20,
  ["draft2020-12/optional/format/idn-hostname.json"] = 20,
}

-- Formats are asserted where the suite is about them.
local function about_formats(file)
  return file:find("^optional/format/") ~= nil or file == "optional/format.json"
    or file == "optional/ecmascript-regex.json"
end

local function read(path)
  return assert(json.decode(assert(fs.read(path)), { name = path, max_depth = 1000 }))
end

-- Runs one file; gives the number of cases and the list of those that come out wrong.
local function run(suite, draft, file)
  local total, wrong = 0, {}
  local opts = { dir = suite .. "/remotes", base = "http://localhost:1234/",
    draft = drafts[draft], formats = about_formats(file) }
  for _, group in ipairs(read(("%s/tests/%s/%s"):format(suite, draft, file))) do
    local validator, err = schema.get(group.schema, opts)
    for _, case in ipairs(group.tests) do
      total = total + 1
      local ok = validator and validator:validate(case.data, { decoded = true })
      if ok ~= case.valid then
        wrong[#wrong + 1] = ("%s: %s: %s"):format(group.description, case.description,
          err and err.message or "came out " .. tostring(ok))
      end
    end
  end
  return total, wrong
end

-- One test for each file, and one that something was tested at all.
local function suite_tests(suite, draft, known)
  local files = fs.glob("**/*.json", { root = ("%s/tests/%s"):format(suite, draft),
    ignore = false })
  for _, file in ipairs(files) do
    local expected = known and known[draft .. "/" .. file] or 0
    local title = ("%s/%s"):format(draft, file)
    if expected > 0 then title = ("%s, but for %d cases"):format(title, expected) end
    it("agrees with " .. title, function()
      local total, wrong = run(suite, draft, file)
      assert(total > 0 or file:find("^optional/"), "no cases")
      if known or not file:find("^optional/") then
        assert(#wrong == expected, ("%d of %d differ:\n%s"):format(#wrong, total,
          table.concat(wrong, "\n")))
      end
    end)
  end
end

local function describe_suite(title, dir, known, missing)
  describe(title, function()
    if not dir or not fs.stat(dir .. "/tests/draft7") then
      if missing then pending(missing) end
      return
    end
    for draft in require("orrery.kernel.sorted").pairs(drafts) do
      if fs.stat(("%s/tests/%s"):format(dir, draft)) then suite_tests(dir, draft, known) end
    end
  end)
end

describe_suite("schema, by Debian's JSON Schema Test Suite",
  "/usr/share/json-schema-test-suite", debian,
  "needs the package json-schema-test-suite")
local extracted = "/usr/local/share/json-schema-test-suite"
describe_suite("schema, by the newer JSON Schema Test Suite", fs.stat(extracted) and extracted
  or "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance", newer,
  "needs the package libtest-json-schema-acceptance-perl, for drafts 2019-09 and 2020-12")
describe_suite("schema, by JSON_SCHEMA_TEST_SUITE", os.getenv("JSON_SCHEMA_TEST_SUITE"), nil)
