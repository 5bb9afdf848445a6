import { mount } from 'svelte';
import './app.css';
import App from './components/App.svelte';
import { prefs } from './prefs.svelte';

prefs.show();
const target = document.getElementById('desk');
if (target !== null) mount(App, { target });
