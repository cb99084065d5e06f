/** `grapevine init`: a node key and a one-node cluster. */
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { pairs } from './terminal.js'

export interface InitOptions {
  cluster?: string
  name?: string
}

export async function run(options: InitOptions, context: Context): Promise<void> {
  const lifecycle = await context.lifecycle()
  const made = await lifecycle.initHome({
    home: context.home,
    ...(options.cluster === undefined ? {} : { clusterName: options.cluster }),
    ...(options.name === undefined ? {} : { nodeName: options.name })
  })
  await print(context, { ...made, home: context.home }, () =>
    pairs([
      ['node', made.node],
      ['cluster', made.cluster],
      ['called', made.clusterName],
      ['home', context.home]
    ])
  )
}

export const definition: CommandDefinition = {
  name: 'init',
  about: 'make a node key and a new cluster; prints their ids',
  options: [
    { flags: '--cluster <name>', about: 'what people call the cluster' },
    { flags: '--name <text>', about: 'what people call this node' }
  ],
  run
}
