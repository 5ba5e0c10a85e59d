-- For wrk: GET requests or refreshes, on whichever connection is next.
--   wrk -s requests.lua URL get FILE        each line an access token or nothing, in turn
--   wrk -s requests.lua URL refresh FILE    each line a refresh token, whose answer has the next one;
--                                           there are more of them than connections
local lines, turn = {}, 0

local function next_get()
    turn = turn % #lines + 1
    return lines[turn]
end

local function next_refresh()
    return wrk.format("POST", nil, {["Content-Type"] = "application/json"},
                      '{"refresh_token":"' .. table.remove(lines) .. '"}')
end

local function keep_refresh(_, _, body)
    local token = body:match('"refresh_token":"([^"]+)"')
    if token then table.insert(lines, token) end
end

function init(args)
    local is_get = args[1] == "get"
    for line in io.lines(args[2]) do
        local headers = line ~= "" and {Authorization = "Bearer " .. line} or {}
        table.insert(lines, is_get and wrk.format("GET", nil, headers) or line)
    end
    if is_get then
        request = next_get
    else
        request, response = next_refresh, keep_refresh
    end
end
