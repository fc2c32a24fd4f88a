-- git: what a diff says, against the git command; what is remembered; what is refused.
local core = require("orrery.core.git")

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function run(cmd)
  local p = assert(io.popen(cmd, "r"))
  local out = p:read("a")
  return out, (p:close())
end

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local QUIET = "GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -c user.name=n "
  .. "-c user.email=e@x -c init.defaultBranch=main -c commit.gpgsign=false "

local Sandbox = {}
Sandbox.__index = Sandbox

local function sandbox()
  local dir = run("mktemp -d"):sub(1, -2)
  return setmetatable({ dir = dir }, Sandbox)
end

function Sandbox:git(...)
  local words = { ... }
  for i, w in ipairs(words) do words[i] = quote(w) end
  local out, ok = run(QUIET .. "-C " .. quote(self.dir) .. " " .. table.concat(words, " ")
    .. " 2>/dev/null")
  return out, ok
end

function Sandbox:write(path, text)
  local dir = path:match("^(.*)/")
  if dir then os.execute("mkdir -p " .. quote(self.dir .. "/" .. dir)) end
  write(self.dir .. "/" .. path, text)
end

function Sandbox:commit(message)
  self:git("add", "-A")
  self:git("commit", "-q", "--allow-empty", "-m", message)
  return (self:git("rev-parse", "HEAD"):gsub("\n", ""))
end

function Sandbox:remove() os.execute("rm -rf " .. quote(self.dir)) end

-- A repository with two commits and something of everything.
local function rich()
  local s = sandbox()
  s:git("init", "-q")
  s:write("keep.txt", "same\n")
  s:write("edit.txt", "one\ntwo\nthree\n")
  s:write("dir/gone.txt", "bye\n")
  s:write("old name.txt", ("line\n"):rep(30) .. "end\n")
  s:write("bin", "\0\1\2")
  s:write("grüße \"q\" 'a'.txt", "x\n")
  s:write("new\nline", "x\n")
  s:write("type", "text\n")
  s:write(".gitignore", "*.o\nout/\n")
  local one = s:commit("one")
  s:write("edit.txt", "one\n2\nthree\nfour\n")
  os.remove(s.dir .. "/dir/gone.txt")
  os.rename(s.dir .. "/old name.txt", s.dir .. "/dir2 name.txt")
  s:write("bin", "\0\1\3\4")
  s:write("grüße \"q\" 'a'.txt", "y\n")
  s:write("new\nline", "x\ny\n")
  os.remove(s.dir .. "/type")
  os.execute("ln -s keep.txt " .. quote(s.dir .. "/type"))
  s:write("-dash", "d\n")
  local two = s:commit("two")
  return s, one, two
end

local function words(text)
  local list = {}
  for w in text:gmatch("([^%z]*)%z") do list[#list + 1] = w end
  return list
end

-- git's --name-status -z as "S old\0path" strings, sorted as ours.
local function statuses(s, ...)
  local w, i, list = words((s:git("diff", "-z", "--find-renames", "--name-status", ...))), 1, {}
  while w[i] do
    if w[i]:sub(1, 1) == "R" then
      list[#list + 1] = w[i + 2] .. "\0R\0" .. w[i + 1]
      i = i + 3
    else
      list[#list + 1] = w[i + 1] .. "\0" .. w[i] .. "\0"
      i = i + 2
    end
  end
  table.sort(list)
  return list
end

local function ours(files)
  local list = {}
  for i, f in ipairs(files) do
    list[i] = f.path .. "\0" .. f.status .. "\0" .. (f.old_path or "")
  end
  return list
end

local function counts(s, ...)
  local map, w, i = {}, words((s:git("diff", "-z", "--find-renames", "--numstat", ...))), 1
  while w[i] do
    local added, removed, path = w[i]:match("^(%S+)\t(%S+)\t(.*)$")
    if path == "" then
      path = w[i + 2]
      i = i + 2
    end
    map[path] = added .. " " .. removed
    i = i + 1
  end
  return map
end

-- Repeats 'f' until it is true: stamps must first become older than their resolution.
local function eventually(f)
  local till = os.time() + 20
  repeat
    if f() then return true end
  until os.time() > till
  return false
end

describe("git", function()
  local s, one, two
  before_each(function() s, one, two = rich() end)
  after_each(function() s:remove() end)

  it("tells a commit pair as git does, renames, odd names and types included", function()
    local r <close> = assert(core.open(s.dir))
    local d = assert(r:diff({ from = one, to = "HEAD", numstat = true }))
    assert.equal(one, d.from)
    assert.equal(two, d.to)
    assert.same(statuses(s, one, two), ours(d.files))
    local want = counts(s, one, two)
    for _, f in ipairs(d.files) do
      local got = f.binary and "- -" or f.additions .. " " .. f.deletions
      assert.equal(want[f.path], got, f.path)
    end
  end)

  it("tells a worktree as git does: staged, unstaged and untracked", function()
    s:write("edit.txt", "staged\n")
    s:git("add", "edit.txt")
    s:write("keep.txt", "unstaged\n")
    s:write("sub/new file", "a\nb\n")
    s:write("skip.o", "ignored")
    s:write("out/deep/x", "ignored")
    s:git("rm", "-q", "bin")
    local r <close> = assert(core.open(s.dir .. "/dir/.."))
    local d = assert(r:diff({ numstat = true, patch = true }))
    local want = statuses(s, "HEAD")
    for _, p in ipairs(words((s:git("ls-files", "-z", "--others", "--exclude-standard")))) do
      want[#want + 1] = p .. "\0?\0"
    end
    table.sort(want)
    assert.same(want, ours(d.files))
    local by = {}
    for _, f in ipairs(d.files) do by[f.path] = f end
    assert.is_true(by["edit.txt"].staged)
    assert.is_true(by["bin"].staged)
    assert.is_nil(by["keep.txt"].staged)
    assert.equal(2, by["sub/new file"].additions)
    assert.truthy(by["sub/new file"].patch:find("\n+a\n+b\n", 1, true))
    assert.is_nil(d.to)
  end)

  it("makes patches that git applies", function()
    local r <close> = assert(core.open(s.dir))
    local d = assert(r:diff({ from = one, to = two, patch = true, paths = { "edit.txt", "dir" } }))
    local all = {}
    for _, f in ipairs(d.files) do all[#all + 1] = f.patch end
    assert.equal(2, #all)
    s:git("checkout", "-q", "-f", one)
    write(s.dir .. "/../p.patch", table.concat(all))
    local _, ok = s:git("apply", "--index", s.dir .. "/../p.patch")
    os.remove(s.dir .. "/../p.patch")
    assert.is_true(ok)
    assert.equal("", (s:git("diff", two, "--", "edit.txt", "dir")))
  end)

  it("starts from the merge base when asked", function()
    s:git("checkout", "-q", "-b", "side", one)
    s:write("side.txt", "s\n")
    s:commit("side")
    local r <close> = assert(core.open(s.dir))
    assert.equal(one, r:merge_base("main", "side"))
    local d = assert(r:diff({ from = "main", merge_base = true }))
    assert.equal(one, d.from)
    assert.same({ "side.txt\0A\0" }, ours(d.files))
    assert.same(statuses(s, "main...side"),
      ours(r:diff({ from = "main", to = "side", merge_base = true }).files))
  end)

  it("remembers a commit pair by its ids", function()
    local r <close> = assert(core.open(s.dir))
    local a = assert(r:diff({ from = one, to = two }))
    a.files[1].path = "spoilt by the caller"
    assert.same(statuses(s, one, two), ours(assert(r:diff({ from = "HEAD~1", to = "main" })).files))
    assert.same({ hits = 1, misses = 1 }, r:stats())
    r:diff({ from = one, to = two, patch = true })
    r:diff({ from = two, to = one })
    assert.same({ hits = 1, misses = 3 }, r:stats())
  end)

  it("remembers a quiet worktree, and nothing that has changed", function()
    local r <close> = assert(core.open(s.dir))
    local function hit()
      local before = r:stats().hits
      local d = assert(r:diff())
      return r:stats().hits > before, #d.files, d
    end
    local changes = {
      { "an edit", function() s:write("keep.txt", "edit\n") end, 1 },
      { "an edit of the same size", function() s:write("keep.txt", "edi2\n") end, 1 },
      { "staging", function() s:git("add", "keep.txt") end, 1 },
      { "an untracked file", function() s:write("fresh.txt", "f\n") end, 2 },
      { "its edit", function() s:write("fresh.txt", "g\n") end, 2 },
      { "one in a new folder", function() s:write("a/b/c/fresh.txt", "f\n") end, 3 },
      { "an ignore rule", function() s:write(".git/info/exclude", "fresh.txt\n") end, 1 },
      { "a nested ignore file", function() s:write("a/.gitignore", "zzz\n") end, 2 },
      { "a commit", function() s:commit("three") end, 0 },
      { "a moved branch", function() s:git("reset", "-q", "--soft", one) end, nil },
      { "a deletion", function() os.remove(s.dir .. "/keep.txt") end, nil },
      { "a mode", function() os.execute("chmod +x " .. quote(s.dir .. "/edit.txt")) end, nil },
    }
    for _, change in ipairs(changes) do
      assert.is_true(eventually(hit), "a hit before " .. change[1])
      change[2]()
      local was_hit, n, d = hit()
      assert.is_false(was_hit, change[1])
      if change[3] then assert.equal(change[3], n, change[1]) end
      if n > 0 then
        local want = statuses(s, "HEAD")
        for _, p in ipairs(words((s:git("ls-files", "-z", "--others", "--exclude-standard")))) do
          want[#want + 1] = p .. "\0?\0"
        end
        table.sort(want)
        assert.same(want, ours(d.files), change[1])
      end
    end
  end)

  it("keeps its memory when only ignored files change", function()
    local r <close> = assert(core.open(s.dir))
    s:write("out/x", "1")
    assert.is_true(eventually(function()
      r:diff()
      return r:stats().hits > 0
    end))
    local before = r:stats().misses
    s:write("out/x", "2")
    s:write("out/y", "3")
    r:diff()
    assert.equal(before, r:stats().misses)
  end)

  it("writes nothing to the repository", function()
    local function state()
      return (run("cd " .. quote(s.dir) .. " && find . -printf '%p %T@ %C@ %s\\n' | sort"))
    end
    run("touch " .. quote(s.dir .. "/keep.txt")) -- the index is stale: git would refresh it
    local before = state()
    local r <close> = assert(core.open(s.dir))
    assert(r:diff({ patch = true, numstat = true }))
    assert(r:diff({ from = one, to = two }))
    assert(r:merge_base(one, two))
    assert.equal(before, state())
  end)

  it("treats a ref as data", function()
    local r <close> = assert(core.open(s.dir))
    for _, ref in ipairs({ "--output=/tmp/x", "-h", "" }) do
      local id, err = r:resolve(ref)
      assert.is_nil(id)
      assert.equal("EINVAL", err.code)
    end
    local id, err = r:resolve("$(touch pwned); `id`")
    assert.is_nil(id)
    assert.equal("ENOENT", err.code)
    assert.has_error(function() r:resolve("a\0b") end)
  end)

  it("names an unknown ref, and in a shallow clone what mends it", function()
    local r <close> = assert(core.open(s.dir))
    local _, err = r:resolve("nowhere")
    assert.truthy(err.message:find("'nowhere'", 1, true))
    assert.falsy(err.message:find("shallow", 1, true))
    _, err = r:diff({ from = "origin/main" })
    assert.truthy(err.message:find("'origin/main'", 1, true))
    local clone = sandbox()
    clone:git("clone", "-q", "--depth", "1", "file://" .. s.dir, clone.dir .. "/c")
    local c <close> = assert(core.open(clone.dir .. "/c"))
    _, err = c:resolve("HEAD~1")
    assert.truthy(err.message:find("git fetch --unshallow", 1, true))
    _, err = c:resolve("origin/other")
    assert.truthy(err.message:find("git fetch origin other:refs/remotes/origin/other", 1, true))
    assert.equal(c:head(), c:merge_base("HEAD", "origin/main"))
    clone:remove()
  end)

  it("says so when a folder is in no repository", function()
    local r, err = core.open("/")
    assert.is_nil(r)
    assert.equal("ENOENT", err.code)
    r, err = core.open(s.dir .. "/nothing")
    assert.is_nil(r)
    assert.equal("ENOENT", err.code)
  end)

  it("compares with nothing before the first commit", function()
    local empty = sandbox()
    empty:git("init", "-q")
    empty:write("a", "1\n")
    empty:write("b", "1\n")
    empty:git("add", "b")
    local r <close> = assert(core.open(empty.dir))
    assert.is_nil(r:head())
    local d = assert(r:diff())
    assert.equal("4b825dc642cb6eb9a060e54bf8d69288fbee4904", d.from)
    assert.same({ "a\0?\0", "b\0A\0" }, ours(d.files))
    assert.is_nil((r:resolve("HEAD")))
    empty:remove()
  end)

  it("has no worktree in a bare repository", function()
    local bare = sandbox()
    bare:git("clone", "-q", "--bare", s.dir, bare.dir .. "/b")
    local r <close> = assert(core.open(bare.dir .. "/b"))
    assert.is_nil(r:root())
    assert.same(statuses(s, one, two), ours(assert(r:diff({ from = one, to = two })).files))
    local d, err = r:diff()
    assert.is_nil(d)
    assert.truthy(err.message:find("bare", 1, true))
    bare:remove()
  end)

  it("never tells what lies in .orrery", function()
    s:write(".orrery/index", "x")
    s:write("pkg/.orrery/index", "x")
    local r <close> = assert(core.open(s.dir))
    assert.same({}, r:diff().files)
  end)

  it("answers by the git command where libgit2 refuses, with the same words", function()
    s:write("edit.txt", "staged\n")
    s:git("add", "edit.txt")
    s:write("keep.txt", "unstaged\n")
    s:write("sub/new file", "a\nb\n")
    local function all(r)
      return {
        assert(r:diff({ from = one, to = two, numstat = true })).files,
        assert(r:diff({ numstat = true })).files,
        assert(r:diff({ paths = { "sub" } })).files,
        r:resolve("main"), r:head(), r:merge_base(one, two), r:root(),
      }
    end
    local plain <close> = assert(core.open(s.dir))
    assert.is_nil(plain:reason())
    local want = all(plain)
    s:git("config", "core.repositoryFormatVersion", "1")
    s:git("config", "extensions.worktreeConfig", "true")
    local r <close> = assert(core.open(s.dir))
    assert.truthy(r:reason():lower():find("worktreeconfig", 1, true))
    assert.same(want, all(r))
    local patches = assert(r:diff({ from = one, to = two, patch = true })).files
    for _, f in ipairs(patches) do assert.equal("diff --git ", f.patch:sub(1, 11)) end
    local _, err = r:resolve("nowhere")
    assert.equal("ENOENT", err.code)
  end)

  it("tells a conflict as the worktree has it", function()
    s:git("checkout", "-q", "-b", "side", one)
    s:write("edit.txt", "ours\n")
    s:commit("side")
    s:git("merge", "main")
    local r <close> = assert(core.open(s.dir))
    local d = assert(r:diff({ patch = true, numstat = true, paths = { "edit.txt" } }))
    assert.same(statuses(s, "HEAD", "--", "edit.txt"), ours(d.files))
    assert.truthy(d.files[1].patch:find("+<<<<<<<", 1, true))
  end)

  it("asks git about a file that a filter program makes", function()
    s:git("config", "filter.up.clean", "tr a-z A-Z")
    s:git("config", "filter.up.smudge", "tr A-Z a-z")
    s:write(".gitattributes", "*.up filter=up\n")
    s:write("a.up", "text\n")
    s:write("b.up", "text\n")
    s:commit("three")
    s:write("a.up", "TEXT\n") -- the same, once cleaned
    s:write("b.up", "more\n")
    local r <close> = assert(core.open(s.dir))
    assert.same({ "b.up\0M\0" }, ours(assert(r:diff()).files))
  end)

  it("names a foreign owner", function()
    if not select(2, run("chown -R nobody " .. quote(s.dir) .. " 2>/dev/null")) then
      pending("only root can give files away")
      return
    end
    local r, err = core.open(s.dir)
    if r then -- git is told to trust it
      assert.truthy(r:reason():find("another user", 1, true))
      r:close()
      return
    end
    assert.equal("EGIT", err.code)
    assert.truthy(err.message:find("another user", 1, true))
    assert.truthy(err.message:find("safe.directory", 1, true))
  end)

  it("gives a changed type as a deletion and a creation", function()
    local r <close> = assert(core.open(s.dir))
    local d = assert(r:diff({ from = one, to = two, patch = true, paths = { "type" } }))
    assert.equal((s:git("diff", one, two, "--", "type"):gsub("index [^\n]*\n", "")),
      (d.files[1].patch:gsub("index [^\n]*\n", "")))
  end)

  it("says by its public module what lies below the folder, relative to it", function()
    local git = require("orrery.git")
    s:write("sub/deep/a.c", "1\n")
    s:commit("three")
    s:write("sub/deep/a.c", "2\n")
    s:write("sub/b.h", "new\n")
    local repo <close> = git.open(s.dir .. "/sub")
    local files = repo:diff("HEAD~1").files
    assert.equal("b.h", files[1].path)
    assert.equal("deep/a.c", files[2].path)
    assert.truthy(files[2].patch:find("+2", 1, true))
    assert.same({ "deep/a.c" }, repo:changed("**/*.c"))
    assert.same({}, repo:changed("*.c"))
    assert.same({ "deep/a.c" }, repo:changed(nil, "HEAD~1") and
      repo:changed({ "**", "!*.h" }, "HEAD~1"))
    assert.equal("deep/a.c", repo:diff(nil, { paths = { "deep" } }).files[1].path)
    assert.has_error(function() repo:diff(nil, { paths = { "../x" } }) end)
    assert.has_error(function() repo:diff(nil, { path = {} }) end)
    local ok, err = pcall(repo.resolve, repo, "nowhere")
    assert.is_false(ok)
    assert.equal("ENOENT", err.code)
    assert.has_error(function() git.open("/") end)
  end)

  it("closes twice, and refuses to work after that", function()
    local r = assert(core.open(s.dir))
    r:close()
    r:close()
    assert.has_error(function() r:head() end)
  end)
end)
