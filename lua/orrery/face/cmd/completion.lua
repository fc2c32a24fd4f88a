-- orrery completion bash|zsh|fish
local commands = require("orrery.face.commands")
local errors = require("orrery.kernel.errors")
local flags = require("orrery.face.flags")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")

local completion = {}

completion.usage = "orrery completion bash|zsh|fish"
completion.about = [[
Prints a script that completes commands, flags, workflows and steps.]]
completion.flags = {}
completion.examples = {
  { 'eval "$(orrery completion bash)"', "in ~/.bashrc; zsh likewise in ~/.zshrc" },
  { "orrery completion fish > ~/.config/fish/completions/orrery.fish", "for fish" } }

local function long_flags(name)
  local out = {}
  local command = commands.get(name)
  for flag, f in sorted.pairs(flags.set(command.flags or {})) do
    out[#out + 1] = "--" .. flag .. ((f.takes and f.takes:sub(1, 1) ~= "[") and "=" or "")
  end
  return out
end

local function cases()
  local out = {}
  for _, name in ipairs(commands.names()) do
    out[#out + 1] = ('      %s) words="%s" ;;'):format(name, table.concat(long_flags(name), " "))
  end
  return table.concat(out, "\n")
end

local bash = [==[
_orrery() {
  local cur=${COMP_WORDS[COMP_CWORD]} command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac
  done
  if [ -z "$command" ]; then
    COMPREPLY=($(compgen -W "%NAMES" -- "$cur"))
    return
  fi
  if [[ $cur == -* ]]; then
    case $command in
%CASES
    esac
  else
    words=$(orrery completion words "$command" "${COMP_WORDS[@]:i+1:COMP_CWORD-i-1}" 2>/dev/null)
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _orrery orrery
]==]

local zsh_head = [[
autoload -U +X bashcompinit && bashcompinit
autoload -U +X compinit && (( $+functions[compdef] )) || compinit
]]

local function fish()
  local out = { "complete -c orrery -f" }
  for _, kin in ipairs(commands.list) do
    for i = 2, #kin do
      out[#out + 1] = ("complete -c orrery -n __fish_use_subcommand -a %s -d '%s'"):format(
        kin[i][1], (kin[i][2]:gsub("'", "\\'")))
      if kin[i].also then
        out[#out + 1] = "complete -c orrery -n __fish_use_subcommand -a " .. kin[i].also
      end
    end
  end
  for _, name in ipairs(commands.names()) do
    for flag, f in sorted.pairs(flags.set(commands.get(name).flags or {})) do
      out[#out + 1] = ("complete -c orrery -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'")
        :format(name, flag, f.short and " -s " .. f.short or "", (f.help:gsub("'", "\\'")))
    end
  end
  out[#out + 1] = "complete -c orrery -n 'not __fish_use_subcommand' -a "
    .. "'(orrery completion words (commandline -opc)[2..-1] 2>/dev/null)'"
  return table.concat(out, "\n") .. "\n"
end

local function script()
  return (bash:gsub("%%(%u+)", { NAMES = table.concat(commands.names(), " "), CASES = cases() }))
end

local takes_workflow = { run = true, plan = true, show = true, graph = true, env = true,
  list = true, check = true, affected = true }
local takes_step = { log = true, explain = true }

local function print_sorted(c, set)
  for name in sorted.pairs(set) do c.out(name .. "\n") end
end

local function steps_of_last(c)
  local tally = require("orrery.face.show.tally")
  local set = {}
  for _, s in ipairs(tally.all(require("orrery.face.past").here().state)) do set[s.id] = true end
  print_sorted(c, set)
end

-- What may follow the words typed so far, one a line: for the scripts.
local function next_words(c)
  local name, first = c.words[2], c.words[3]
  if takes_step[name] then return steps_of_last(c) end
  if not takes_workflow[name] then return end
  local root, conf = target.root()
  local set = {}
  local _, names = require("orrery.model.load").find("", root, conf)
  if not first then
    for _, n in ipairs(names) do set[n] = true end
  end
  local ok, wf = pcall(target.load, { first }, {}, { inspect = true })
  for id in pairs(ok and wf and wf.by_id or {}) do
    if id ~= "" then set[id] = true end
  end
  print_sorted(c, set)
end

local shells = { bash = function(c) c.out(script()) end,
  zsh = function(c) c.out(zsh_head .. script()) end, fish = function(c) c.out(fish()) end,
  words = next_words }

--- Prints the script.
---@param c table the invocation
---@return integer
function completion.main(c)
  local shell = c.words[1]
  if not shells[shell or ""] then
    errors.raise("usage", shell and ("completion for '%s' is not known"):format(shell)
      or "completion for which shell?", { hint = shell and nearest.hint(shell, shells)
      or "orrery completion bash, zsh or fish" })
  end
  shells[shell](c)
  return 0
end

return completion
