import { svelte } from '@sveltejs/vite-plugin-svelte';
import { loadEnv } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig(({ mode }) => ({
  base: '/desk/',
  plugins: [svelte()],
  // The gateway's content security policy is default-src 'self': no data: addresses, so nothing is inlined.
  build: {
    target: 'es2022',
    // The first versions that know light-dark(), which the palette is written in.
    cssTarget: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  // Tests run the same client code that browsers get, not the code for rendering on a server.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: { include: ['tests/**/*.test.ts'], environment: 'node' as const },
  server: {
    port: 5173,
    proxy: {
      '/desk/api': {
        target: loadEnv(mode, '.', 'DESK_')['DESK_SERVER'] ?? 'http://127.0.0.1:8099',
        ws: true,
        changeOrigin: true,
      },
    },
  },
}));
