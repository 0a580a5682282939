-- The spaces and the procedure that tarantool.c uses. Environment: PEER_LISTEN (address:port), PEER_DIR, PEER_WAL
-- (none, write or fsync), PEER_MEMORY (bytes).
box.cfg {
    listen = os.getenv('PEER_LISTEN'),
    wal_mode = os.getenv('PEER_WAL'),
    wal_dir = os.getenv('PEER_DIR'),
    memtx_dir = os.getenv('PEER_DIR'),
    vinyl_dir = os.getenv('PEER_DIR'),
    memtx_memory = tonumber(os.getenv('PEER_MEMORY')),
    net_msg_max = 8192,
    readahead = 262144,
    log_level = 'warn',
    checkpoint_interval = 0,
}

local function space(name, id, parts)
    local s = box.schema.space.create(name, { id = id })
    s:create_index('primary', { type = 'hash', parts = parts })
    return s
end

space('kv', 512, { 1, 'unsigned' })
space('votes', 513, { 1, 'unsigned' })
local orders = space('orders', 514, { 1, 'unsigned' })
local items = space('items', 515, { 1, 'unsigned', 2, 'unsigned' })
local summary = space('summary', 516, { 1, 'unsigned' })
local customers = space('customers', 517, { 1, 'unsigned' })
local days = space('days', 518, { 1, 'unsigned' })
local ONE_MORE = { { '+', 2, 1 } }

function place_order(id, customer, day, q1, p1, q2, p2)
    box.begin()
    orders:insert { id, customer, day }
    items:insert { id, 1, q1, p1 }
    items:insert { id, 2, q2, p2 }
    summary:insert { id, q1 * p1 + q2 * p2, 2 }
    customers:upsert({ customer, 1 }, ONE_MORE)
    days:upsert({ day, 1 }, ONE_MORE)
    box.commit()
end

-- What the run is checked by: orders, items, cents, orders by customer and by day.
function order_check()
    local items_n, cents, by_customer, by_day = 0, 0, 0, 0
    for _, t in summary:pairs() do
        cents = cents + t[2]
        items_n = items_n + t[3]
    end
    for _, t in customers:pairs() do by_customer = by_customer + t[2] end
    for _, t in days:pairs() do by_day = by_day + t[2] end
    return orders:len(), items_n, cents, by_customer, by_day
end

box.schema.user.grant('guest', 'read,write,execute', 'universe')
