-- Files, for scripts, steps and the prompt: what fails raises an error value with a code
-- ("ENOENT", "EACCES" …) and a message that names the path. Paths are relative to the
-- current directory. Nothing follows a symlink it was not asked to.
local check = require("orrery.kernel.check")
local core = require("orrery.core.fs")
local errors = require("orrery.kernel.errors")

local fs = {}

local must = errors.must

local function absent(err)
  return err.code == "ENOENT" or err.code == "ENOTDIR"
end

--- Finds files (and symlinks, not directories) by patterns, sorted by bytes.
--- `**` is any number of directories, `*` and `?` stay inside one; `[a-z]`, `[!a]`, `{a,b}`,
--- `\*` for a star itself. A pattern that starts with `!` excludes, the last that matches
--- decides. Ignored files (.gitignore) are left out unless the pattern's literal beginning
--- is ignored itself, or `ignore = false`; .git and .orrery never match.
---
---     fs.glob { "src/**/*.{c,h}", "!src/vendor/**" } --> { "src/a.c", "src/a.h" }
---@param patterns string|string[]
---@param opts? { root?: string, ignore?: boolean, hidden?: boolean } hidden = false: no dot files
---@return string[] paths relative to root
---@return orrery.GlobFacts facts the directories and ignore files the answer rests on
function fs.glob(patterns, opts)
  check.options(opts, { root = "string", ignore = "boolean", hidden = "boolean" }, "fs.glob")
  local paths, facts = core.glob(patterns, opts)
  return must(paths, facts), facts
end

--- Would fs.glob take this path? Looks at no disk and at no ignore file.
---
---     fs.match({ "src/**", "!**/*.o" }, "src/a.c") --> true
---@param patterns string|string[]
---@param path string
---@return boolean
function fs.match(patterns, path)
  return must(core.match(patterns, path))
end

--- Reads a file, or its first `limit` bytes.
---
---     fs.read("VERSION"):match("%S+") --> "1.4.0"
---@param path string
---@param limit? integer
---@return string
function fs.read(path, limit)
  return must(core.read(path, limit))
end

--- Replaces a file in one step: readers see the old bytes or the new, also after a crash.
--- Keeps the old file's mode unless one is given; `sync` makes it survive power loss.
---
---     fs.write_atomic("out/site.css", css)
---@param path string
---@param bytes string
---@param opts? { mode?: integer, sync?: boolean }
function fs.write_atomic(path, bytes, opts)
  opts = check.options(opts, { mode = "integer", sync = "boolean" }, "fs.write_atomic")
  must(core.write_atomic(path, bytes, opts))
end

--- Appends to a file, making it when it is not there.
---
---     fs.append("log.txt", "deployed\n")
---@param path string
---@param bytes string
function fs.append(path, bytes)
  must(core.append(path, bytes))
end

local function stat_with(read)
  return function(path)
    local st, err = read(path)
    if not st and not absent(err) then error(err, 0) end
    return st
  end
end

--- What is at a path, following symlinks; nil when nothing is.
---
---     fs.stat("build").type --> "dir"
---@type fun(path: string): core.Stat?
fs.stat = stat_with(core.stat)

--- What is at a path itself: type "link" for a symlink; nil when nothing is.
---
---     fs.lstat("current").type --> "link"
---@type fun(path: string): core.Stat?
fs.lstat = stat_with(core.lstat)

--- Is anything there? A symlink that leads nowhere is not.
---
---     if not fs.exists("node_modules") then … end
---@param path string
---@return boolean
function fs.exists(path)
  return fs.stat(path) ~= nil
end

--- The names in a directory, sorted, without "." and "..".
---
---     fs.list("workflows") --> { "ci.lua", "site.yaml" }
---@param dir string
---@return string[]
function fs.list(dir)
  return must(core.list(dir))
end

--- Makes a directory with its parents; one that is there already is fine.
---
---     fs.mkdir("out/pages")
---@param path string
function fs.mkdir(path)
  must(core.mkdir(path))
end

--- Removes a file, a symlink or an empty directory.
---
---     fs.remove("out/old.css")
---@param path string
function fs.remove(path)
  must(core.remove(path))
end

--- Removes a directory with all that is in it; nothing there is fine.
---
---     fs.remove_tree("out")
---@param path string
function fs.remove_tree(path)
  must(core.remove_tree(path))
end

--- Renames, replacing what has the new name.
---
---     fs.rename("report.tmp", "report.json")
---@param from string
---@param to string
function fs.rename(from, to)
  must(core.rename(from, to))
end

--- Makes a symlink at `path` that says `target`.
---
---     fs.symlink("releases/42", "current")
---@param target string
---@param path string
function fs.symlink(target, path)
  must(core.symlink(target, path))
end

--- What a symlink says.
---
---     fs.readlink("current") --> "releases/42"
---@param path string
---@return string
function fs.readlink(path)
  return must(core.readlink(path))
end

--- The absolute path without symlinks.
---
---     fs.realpath("current") --> "/srv/app/releases/42"
---@param path string
---@return string
function fs.realpath(path)
  return must(core.realpath(path))
end

--- Sets the permission bits.
---
---     fs.chmod("run.sh", tonumber("755", 8))
---@param path string
---@param mode integer
function fs.chmod(path, mode)
  must(core.chmod(path, mode))
end

--- Copies a file with its mode, sharing blocks where the file system can; a symlink is
--- copied as a symlink. Replaces the target in one step.
---
---     fs.copy("dist/app", "/srv/app/app")
---@param from string
---@param to string
function fs.copy(from, to)
  must(core.copy(from, to))
end

--- A path's normal form, by its text alone: "a//b/../c/" is "a/c".
---
---     fs.normal("./src//main.c") --> "src/main.c"
---@param path string
---@return string
function fs.normal(path)
  return core.normal(path)
end

--- Does a path stay where it starts: relative, and not leading above?
---
---     fs.inside("../etc") --> false
---@param path string
---@return boolean
function fs.inside(path)
  return core.inside(path)
end

return fs
