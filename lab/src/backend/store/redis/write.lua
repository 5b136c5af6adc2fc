-- Carries out all commands or none, unless this number or a later one of this process was written
-- before. A counter that would leave 64 bits stays as it is.
--
-- KEYS[1] number of the process's last write; ARGV[1] number of this one; ARGV[2] seconds that it is
-- remembered; then for each command the count of its words and the words.
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= tonumber(ARGV[1]) then
  return 0
end
-- First: a server that takes no writes now refuses this one, and then nothing has happened.
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
local at = 3
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local reply = redis.pcall(unpack(ARGV, at + 1, at + words))
  if type(reply) == 'table' and reply.err and not string.find(reply.err, 'overflow', 1, true) then
    return reply
  end
  at = at + 1 + words
end
return 1
