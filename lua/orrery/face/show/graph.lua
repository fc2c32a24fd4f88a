-- A workflow's graph for dot, for mermaid, and as a tree of text.
local graph = {}

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

-- What is to be drawn: members in order, the top group left out.
local function wanted_members(group, wanted, visit, depth)
  for _, list in ipairs({ group.members, group.finally or {} }) do
    for _, m in ipairs(list) do
      if m.members then
        local any = false
        wanted_members(m, wanted, function() any = true end, depth)
        if any then visit(m, depth) end
      elseif not wanted or wanted[m.id] then
        visit(m, depth)
      end
    end
  end
end

-- Some step in a group, to hang an edge on.
local function anchor(item, wanted)
  if not item.members then return (not wanted or wanted[item.id]) and item.id or nil end
  for _, m in ipairs(item.members) do
    local id = anchor(m, wanted)
    if id then return id end
  end
end

local function edges(item, add)
  for _, id in ipairs(item.needs) do add(id, item, "needs") end
  for _, id in ipairs(item.after) do add(id, item, "after") end
end

--- For graphviz; groups are clusters, `after` is dashed.
---@param wf orrery.Workflow
---@param wanted? table<string, true> ids of steps
---@return string
function graph.dot(wf, wanted)
  local out = { "digraph " .. quoted(wf.name) .. " {", "  compound=true; rankdir=LR;",
    "  node [shape=box, style=rounded];" }
  local function add_edge(from, item, how)
    local source = wf.by_id[from]
    local a, b = source and anchor(source, wanted), anchor(item, wanted)
    if not a or not b then return end
    local more = {}
    if source.members then more[#more + 1] = "ltail=" .. quoted("cluster_" .. from) end
    if item.members then more[#more + 1] = "lhead=" .. quoted("cluster_" .. item.id) end
    if how == "after" then more[#more + 1] = "style=dashed" end
    out[#out + 1] = ("  %s -> %s%s;"):format(quoted(a), quoted(b), #more > 0
      and " [" .. table.concat(more, ", ") .. "]" or "")
  end
  local late = {}
  local function visit(item, depth)
    local pad = ("  "):rep(depth)
    late[#late + 1] = item
    if item.members then
      out[#out + 1] = pad .. "subgraph " .. quoted("cluster_" .. item.id) .. " {"
      out[#out + 1] = pad .. "  label=" .. quoted(item.id) .. ";"
      wanted_members(item, wanted, visit, depth + 1)
      out[#out + 1] = pad .. "}"
    else
      out[#out + 1] = pad .. quoted(item.id) .. ";"
    end
  end
  wanted_members(wf.top, wanted, visit, 1)
  for _, item in ipairs(late) do edges(item, add_edge) end
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end

--- For mermaid; groups are subgraphs.
---@param wf orrery.Workflow
---@param wanted? table<string, true>
---@return string
function graph.mermaid(wf, wanted)
  local out, names, n, late = { "flowchart LR" }, {}, 0, {}
  local function visit(item, depth)
    n = n + 1
    local name, pad = "n" .. n, ("  "):rep(depth)
    names[item.id] = name
    late[#late + 1] = item
    local label = '"' .. item.id:gsub('"', "#quot;") .. '"'
    if item.members then
      out[#out + 1] = ("%ssubgraph %s [%s]"):format(pad, name, label)
      wanted_members(item, wanted, visit, depth + 1)
      out[#out + 1] = pad .. "end"
    else
      out[#out + 1] = ("%s%s[%s]"):format(pad, name, label)
    end
  end
  wanted_members(wf.top, wanted, visit, 1)
  for _, item in ipairs(late) do
    edges(item, function(from, to, how)
      if names[from] then
        out[#out + 1] = ("  %s %s %s"):format(names[from], how == "after" and "-.->" or "-->",
          names[to.id])
      end
    end)
  end
  return table.concat(out, "\n") .. "\n"
end

-- Steps and groups that nothing else waits for.
local function ends(wf, wanted)
  local waited, out = {}, {}
  for _, list in ipairs({ wf.steps, wf.groups or {} }) do
    for _, item in ipairs(list) do
      if not wanted or wanted[item.id] then
        for _, ids in ipairs({ item.needs, item.after }) do
          for _, id in ipairs(ids) do waited[id] = true end
        end
      end
    end
  end
  local function open(group)
    for _, list in ipairs({ group.members, group.finally or {} }) do
      for _, m in ipairs(list) do
        if m.members then
          if not waited[m.id] then open(m) end
        elseif not waited[m.id] and (not wanted or wanted[m.id]) then
          out[#out + 1] = m
        end
      end
    end
  end
  open(wf.top)
  return out
end

local function below(item, wf, wanted)
  local out = {}
  local function add(id, note)
    local other = wf.by_id[id]
    if other and anchor(other, wanted) then out[#out + 1] = { item = other, note = note } end
  end
  for _, id in ipairs(item.needs) do add(id) end
  for _, id in ipairs(item.after) do add(id, "after") end
  local g = item.group or item.parent
  while g do
    for _, id in ipairs(g.needs) do add(id) end
    g = g.parent
  end
  for _, m in ipairs(item.members or {}) do
    if anchor(m, wanted) then out[#out + 1] = { item = m } end
  end
  return out
end

--- A tree of what needs what; what was shown before is marked "(above)".
---@param wf orrery.Workflow
---@param wanted? table<string, true>
---@return string
function graph.text(wf, wanted)
  local out, seen = {}, {}
  local function visit(item, head, tail, note)
    local list = below(item, wf, wanted)
    local again = seen[item.id] and #list > 0
    seen[item.id] = true
    out[#out + 1] = head .. item.id .. (item.members and " (group)" or "")
      .. (note and " (" .. note .. ")" or "") .. (again and " (above)" or "")
    if again then return end
    for i, e in ipairs(list) do
      local last = i == #list
      visit(e.item, tail .. (last and "└─ " or "├─ "), tail .. (last and "   " or "│  "), e.note)
    end
  end
  for _, item in ipairs(ends(wf, wanted)) do visit(item, "", "") end
  return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end

return graph
