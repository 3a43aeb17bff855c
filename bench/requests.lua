-- Requests, one after another. Arguments: the method, the credential, the file with the request's body or "-", what
-- stands in it for a number of each request's own and for words, up to how many bytes of words, and whether heads
-- have a traceparent and ids ("headers"). Prints one line of JSON.

local before, after, headers, most
local words = ""
local number = 0

function init(args)
   wrk.method = args[1]
   wrk.headers["Accept"] = "application/json"
   wrk.headers["User-Agent"] = "OpenAI/Python 2.8.0"
   wrk.headers["Authorization"] = "Bearer " .. args[2]
   headers = args[6] == "headers"
   if args[3] ~= "-" then
      local file = assert(io.open(args[3], "rb"))
      local body = file:read("*a")
      file:close()
      local first, last = body:find(args[4], 1, true)
      before, after = body:sub(1, first - 1), body:sub(last + 1)
      most = tonumber(args[5])
      words = string.rep("on the other line ", math.ceil(most / 18))
      wrk.headers["Content-Type"] = "application/json"
      request = differing
   end
end

function differing()
   number = number + 1
   if headers then
      wrk.headers["traceparent"] = string.format("00-%016x%016x-%016x-01", number * 2654435761, number, number * 40503)
      wrk.headers["X-Ingate-User-Id"] = "user-" .. number % 5000
      wrk.headers["X-Ingate-Session-Id"] = string.format("session-%08x", number * 40503)
   end
   return wrk.format(nil, nil, nil, before .. number .. words:sub(1, number * 7919 % (most + 1)) .. after)
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"refused":%d,"failed":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
