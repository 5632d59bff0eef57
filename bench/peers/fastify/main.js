// What a person sees of themselves, the way a small service in Node does it: Fastify, pg, a token signed with HS256.
import jwt from '@fastify/jwt'
import fastify from 'fastify'
import pg from 'pg'

// Where rows are kept apart by the database, the tenant is a setting of the transaction.
const plain = 'SELECT user_id, email, name, role FROM people WHERE tenant_id = $1 AND user_id = $2'
const isolated = 'SELECT user_id, email, name, role FROM people WHERE user_id = $1'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 })
const server = fastify()
await server.register(jwt, { secret: process.env.SECRET })

async function readPlain({ tid, sub }) {
  const { rows } = await pool.query({ name: 'plain', text: plain, values: [tid, sub] })
  return rows[0]
}

async function readIsolated({ tid, sub }) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN READ ONLY')
    await client.query({ name: 'tenant', text: "SELECT set_config('app.tenant_id', $1, true)", values: [tid] })
    const { rows } = await client.query({ name: 'isolated', text: isolated, values: [sub] })
    await client.query('COMMIT')
    return rows[0]
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

const read = process.env.ISOLATED === '1' ? readIsolated : readPlain
server.get('/me', async (request, reply) => {
  try {
    await request.jwtVerify()
  } catch {
    return reply.code(401).send({ error: 'who are you?' })
  }
  return read(request.user)
})

await server.listen({ host: '127.0.0.1', port: 0 })
console.log(`http://127.0.0.1:${server.server.address().port} is ready`)
