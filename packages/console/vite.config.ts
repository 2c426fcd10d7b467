import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const api = process.env.BERTH_API ?? 'http://127.0.0.1:7690'

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  resolve: { alias: { zod: `${import.meta.dirname}/src/no-schemas.ts` } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    // The server sends `default-src 'self'`: data addresses would be refused.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: { host: '127.0.0.1', proxy: { '/v1': { target: api, ws: true } } },
})
