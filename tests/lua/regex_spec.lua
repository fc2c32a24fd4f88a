-- regex: what a JSON Schema pattern means.
local regex = require("orrery.core.regex")

local function matches(pattern, s)
  return assert(regex.compile(pattern)):match(s)
end

local function yes(pattern, ...)
  for _, s in ipairs({ ... }) do assert(matches(pattern, s), pattern .. " on " .. s) end
end

local function no(pattern, ...)
  for _, s in ipairs({ ... }) do assert(not matches(pattern, s), pattern .. " on " .. s) end
end

local function refused(pattern)
  local r, err = regex.compile(pattern)
  assert.is_nil(r)
  assert.are.equal("EINVAL", err.code)
  return err
end

describe("regex", function()
  it("matches anywhere unless anchored", function()
    yes("b", "abc")
    no("^b", "abc")
    yes("", "", "x")
    yes("^a.c$", "abc", "aéc", "a😀c")
  end)

  it("takes $ as the very end and . as all but line ends", function()
    no("^abc$", "abc\n")
    no("^.$", "\n", "\r", "\u{2028}", "\u{2029}")
    yes("^.$", "\v", "\u{85}")
  end)

  it("keeps digits and words ASCII, spaces Unicode", function()
    yes("^\\d\\w$", "0_")
    no("^\\d$", "\u{7e3}")
    no("^\\w$", "é")
    yes("^\\W\\D$", "éé")
    local spaces = { " ", "\t", "\v", "\u{a0}", "\u{feff}", "\u{2029}", "\u{2003}", "\u{3000}" }
    for _, s in ipairs(spaces) do
      yes("^\\s$", s)
      yes("^[x\\s]$", s)
      no("^\\S$", s)
      no("^[x\\S]$", s)
      no("^[^\\s]$", s)
      yes("^[^\\S]$", s)
    end
    no("^\\s$", "\1", "\u{200b}", "x")
    yes("^[\\S]$", "x", "\0", "é", "😀")
  end)

  it("knows escapes of characters", function()
    yes("^\\u0041\\x42\\u{1F600}\\ud83d\\ude00\\cA\\0\\v$", "AB😀😀\1\0\v")
    yes("^[\\u0041-\\u0043\\b]$", "B", "\b")
    yes("^\\/\\-\\.$", "/-.")
  end)

  it("knows Unicode properties by short and long names", function()
    yes("^\\p{Letter}+$", "école")
    yes("^\\p{L}\\p{Lu}\\p{General_Category=Lowercase_Letter}$", "xÉé")
    yes("^\\P{Decimal_Number}$", "x")
    yes("^\\p{Greek}$", "λ")
    yes("^[\\p{Number}x]$", "٣", "x")
  end)

  it("reads classes as ECMA does", function()
    yes("^[[:alpha:]$", ":", "[", "a")
    no("^[[:alpha:]$", "z")
    yes("^[^]$", "x", "\n")
    no("[]", "", "x")
    yes("^[.$(]$", ".", "$", "(")
  end)

  it("knows look-around, names and references", function()
    yes("^(?!x)(?=a)a(?<=a)(?<!b)b$", "ab")
    yes("^(?<q>['\"]).*\\k<q>$", "'it'")
    yes("^(?:(a)|b)\\1$", "aa", "b")
    yes("^(?i)abc$", "ABC")
  end)

  it("refuses what only Perl has, with the column", function()
    for pattern, column in pairs({
      ["^x\\Z"] = 3, ["\\a"] = 1, ["a\\Qb\\E"] = 2, ["\\K"] = 1, ["(*UTF)x"] = 1, ["x(?R)"] = 2,
      ["(?>a)"] = 1, ["é(?P<n>a)"] = 2, ["\\u12"] = 1, ["\\x1"] = 1, ["\\"] = 1, ["\\ud800"] = 1,
    }) do
      local err = refused(pattern)
      assert(err.column == column, pattern .. ": " .. err.message)
    end
  end)

  it("names the column of a pattern that is not well formed", function()
    assert.are.equal(4, refused("é(a").column)
    assert.are.equal(1, refused("*a").column)
    refused("[a")
    refused("a)")
    refused("a{2,1}")
    refused("\\p{Nonsense}")
    refused("\xff")
    refused(("("):rep(5000))
  end)

  it("gives up on endless backtracking instead of hanging", function()
    local r = assert(regex.compile("^(a+)+$"))
    local found, err = r:match(("a"):rep(40) .. "b")
    assert.is_nil(found)
    assert.are.equal("ELIMIT", err.code)
    assert.is_true(r:match("aaa"))
  end)

  it("does not take bytes that are not UTF-8 for characters", function()
    no("^.$", "\xff")
    yes("b", "\xffb")
  end)

  it("refuses a closed regex", function()
    local r = assert(regex.compile("a"))
    r:close()
    r:close()
    assert.has_error(function() r:match("a") end)
  end)

  it("finds where, from where, and what the groups took", function()
    local r = assert(regex.compile("(\\w)(x)?="))
    assert.are.same({ 1, 2, "a" }, { r:find("a=b=") })
    assert.are.same({ 3, 4, "b" }, { r:find("a=b=", 2) })
    assert.are.same({ 1, 3, "a", "x" }, { r:find("ax=") })
    assert.are.same({ 1, 2, false, "b" }, { assert(regex.compile("(a)?(b)=")):find("b=") })
    assert.are.same({}, { r:find("a=", 4) })
    assert.has_error(function() r:find("a=", 0) end)
  end)

  it("takes lines each for itself when asked to", function()
    assert.is_nil(assert(regex.compile("^b$")):find("a\nb\nc"))
    assert.are.same({ 3, 3 }, { assert(regex.compile("^b$", { lines = true })):find("a\nb\nc") })
    assert.has_error(function() regex.compile("a", { multiline = true }) end)
  end)
end)
